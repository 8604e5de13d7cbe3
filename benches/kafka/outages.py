#!/usr/bin/env python3
"""How long a worker needs until it goes on after the broker or the database was killed, and what it does
with ten times the messages that it can judge. Prints Markdown.

See `benches/README.md` for how to run it.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time

import common
from confluent_kafka import Producer

AWAY_SECONDS = 5


class Load(threading.Thread):
    """Sends at a constant rate until it is told to stop."""

    def __init__(self, brokers, topic, payloads, rate):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": brokers, "compression.type": "zstd", "linger.ms": 20,
                                  "queue.buffering.max.messages": 2_000_000,
                                  "queue.buffering.max.kbytes": 2 << 20, "message.timeout.ms": 300_000})
        self.topic, self.payloads, self.rate = topic, payloads, rate
        self.sent, self.stopping = 0, False

    def run(self):
        begun = time.monotonic()
        while not self.stopping:
            due = int((time.monotonic() - begun) * self.rate)
            while self.sent < due:
                try:
                    self.producer.produce(self.topic, self.payloads[self.sent % len(self.payloads)],
                                          key=str(self.sent % 251))
                    self.sent += 1
                except BufferError:
                    break
            self.producer.poll(0.01)

    def stop(self):
        self.stopping = True
        self.join()
        self.producer.flush()


def start(args, servers, topic, name, folder):
    common.make_topics(servers.kafka, [topic, f"{topic}.dead-letter", f"{name}-predictions", f"{name}-alerts"], 4)
    return common.Tripline(args.tripline, args.models, os.path.join(folder, name), [
        "--database-url", servers.database(name.replace("-", "_")),
        f"--kafka-brokers={servers.kafka}", f"--kafka-group={name}", f"--kafka-topic={topic}",
        f"--kafka-predictions={name}-predictions", f"--kafka-alerts={name}-alerts", "--kafka-start=earliest"],
        log="off")


def recovery(args, servers, payloads, folder):
    """Seconds from the moment at which the server answers again to the next verdict, by server."""
    server = start(args, servers, "outages", "outages", folder)
    load = Load(servers.kafka, "outages", payloads, args.rate)
    load.start()
    scored = lambda: server.books("outages")["scored"]
    common.until("verdicts", lambda: scored() > 5 * args.rate)
    found = {"kafka": [], "postgres": []}
    for _ in range(args.rounds):
        for name in found:
            servers.ask(f"{name} kill")
            time.sleep(AWAY_SECONDS)
            before = scored()
            servers.ask(f"{name} start")
            begun = time.monotonic()
            # More than was on its way when the server went.
            common.until("the next verdicts", lambda: scored() > before, pause=0.02)
            found[name].append(time.monotonic() - begun)
            print(name, found[name][-1], file=sys.stderr)
            common.until("what has waited", lambda: server.health()["checks"]["kafka"]["consumer"]["lag"] in (0, None)
                         or server.health()["checks"]["kafka"]["consumer"]["lag"] < args.rate * 6)
    load.stop()
    common.until("every message", lambda: scored() >= load.sent)
    books = server.books("outages")
    server.close()
    return found, load.sent, books


def overload(args, servers, payloads, folder):
    """Books, memory and answers of the API while messages come ten times faster than they are judged."""
    server = start(args, servers, "overload", "overload", folder)
    load = Load(servers.kafka, "overload", payloads, args.overload_rate)
    load.start()
    memory, checks, slowest = 0, 0, 0.0
    begun = time.monotonic()
    while time.monotonic() - begun < args.overload_seconds:
        asked = time.monotonic()
        books = server.books("overload")
        slowest = max(slowest, time.monotonic() - asked)
        checks += 1
        memory = max(memory, common.memory_mib(server.process.pid))
        time.sleep(0.5)
    seconds = time.monotonic() - begun
    load.stop()
    server.close()
    return {"sent": load.sent, "scored": books["scored"], "seconds": seconds, "memory": memory, "checks": checks,
            "slowest": slowest}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tripline", default="target/release/tripline")
    parser.add_argument("--servers", default="target/release/examples/servers")
    parser.add_argument("--models", default="models")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--overload-rate", type=int, default=300_000)
    parser.add_argument("--overload-seconds", type=int, default=60)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _, payloads = common.records(args.tripline, 20_000, folder)
        servers = common.Servers(args.servers)
        found, sent, books = recovery(args, servers, payloads, folder)
        flood = overload(args, servers, payloads, folder)
        servers.close()
    print("# Outages and overload\n")
    print(f"Printed by `benches/kafka/outages.py`. {args.rate:,} messages a second; each server is killed "
          f"(`kill -9`) {args.rounds} times, is away for {AWAY_SECONDS} s and started again.\n")
    print("| killed | seconds from its answer to the next verdict: median | longest |")
    print("| --- | ---: | ---: |")
    for name, title in (("kafka", "broker"), ("postgres", "database")):
        print(f"| {title} | {statistics.median(found[name]):.1f} | {max(found[name]):.1f} |")
    print(f"\nOf {sent:,} messages {books['scored']:,} are scored, {books['repeats']:,} of whose verdicts were there "
          f"already, and the books balance.\n")
    print(f"Then {flood['sent'] / flood['seconds']:,.0f} messages a second for {flood['seconds']:.0f} s: "
          f"{flood['scored'] / flood['seconds']:,.0f} a second are scored meanwhile "
          f"({flood['sent'] / max(flood['scored'], 1):.1f} times fewer), the rest waits in Kafka. The books balanced at "
          f"each of {flood['checks']} looks, of which the slowest took {flood['slowest']:.2f} s; the process never "
          f"took more than {flood['memory']:,.0f} MiB.")


if __name__ == "__main__":
    main()
