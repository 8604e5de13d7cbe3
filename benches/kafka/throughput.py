#!/usr/bin/env python3
"""Messages through one worker: Kafka -> verdict with reasons -> PostgreSQL -> Kafka, and through a
worker of the origin's design, in turn, on one broker and one database. Prints Markdown.

See `benches/README.md` for how to run it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import common

PARTS = ("worker", "broker", "database")


def usage(pid):
    return {"worker": common.cpu_seconds(pid=pid), "broker": common.cpu_seconds(name="java"),
            "database": common.cpu_seconds(name="postgres")}


def between(before, after):
    return {part: after[part] - before[part] for part in PARTS}


def ours(args, servers, topic, name, count, folder):
    """The rate and the processor time of the part from a tenth to nine tenths of the messages."""
    names = [f"{name}-predictions", f"{name}-alerts", f"{topic}.dead-letter"]
    common.make_topics(servers.kafka, [one for one in names if one not in args.made], args.partitions)
    args.made.update(names)
    server = common.Tripline(args.tripline, args.models, os.path.join(folder, name), [
        "--database-url", servers.database(name.replace("-", "_")),
        f"--kafka-brokers={servers.kafka}", f"--kafka-group={name}", f"--kafka-topic={topic}",
        f"--kafka-predictions={names[0]}", f"--kafka-alerts={names[1]}", "--kafka-start=earliest"])
    marks, peak = [], 0
    while len(marks) < 2:
        scored = server.books(topic)["scored"]
        peak = max(peak, common.memory_mib(server.process.pid))
        if scored >= count * (0.9 if marks else 0.1):
            marks.append((time.monotonic(), scored, usage(server.process.pid)))
        time.sleep(0.1)
    common.until("every message", lambda: server.books(topic)["scored"] >= count)
    server.close()
    (start, first, before), (end, last, after) = marks
    return {"rate": (last - first) / (end - start), "memory": peak,
            "cpu": {part: spent / (last - first) * 1e6 for part, spent in between(before, after).items()},
            "busy": sum(between(before, after).values()) / (end - start)}


def origin(args, servers, topic, name, count, train):
    worker = subprocess.Popen(
        [sys.executable, os.path.join(os.path.dirname(__file__), "origin_worker.py"), "--brokers", servers.kafka,
         "--topic", topic, "--group", name, "--database", servers.database(name.replace("-", "_")),
         "--messages", str(count), "--train", train],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if worker.stdout.readline().strip() != "trained":
        sys.exit("the worker of the origin's design did not start")
    before = usage(worker.pid)
    worker.stdin.write("\n")
    worker.stdin.flush()
    told = json.loads(worker.stdout.readline())
    spent = between(before, usage(worker.pid))
    memory = common.memory_mib(worker.pid, "VmHWM")
    worker.wait()
    return {"rate": told["messages"] / told["seconds"], "memory": memory,
            "cpu": {part: seconds / count * 1e6 for part, seconds in spent.items()},
            "busy": sum(spent.values()) / told["seconds"]}


def median(rounds, key):
    return statistics.median(key(one) for one in rounds)


def row(name, rounds, unit):
    cells = [f"{median(rounds, lambda one: one['rate']):,.0f}"]
    cells += [f"{median(rounds, lambda one, part=part: one['cpu'][part]):,.1f}" for part in PARTS]
    cells += [f"{median(rounds, lambda one: one['busy']):.2f}", f"{median(rounds, lambda one: one['memory']):,.0f} MiB", unit]
    return f"| {name} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tripline", default="target/release/tripline")
    parser.add_argument("--servers", default="target/release/examples/servers")
    parser.add_argument("--models", default="models")
    parser.add_argument("--messages", type=int, default=400_000)
    parser.add_argument("--origin-messages", type=int, default=2_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    args.made = set()
    with tempfile.TemporaryDirectory() as folder:
        train, payloads = common.records(args.tripline, 20_000, folder)
        servers = common.Servers(args.servers)
        common.make_topics(servers.kafka, ["traffic"], args.partitions)
        common.fill(servers.kafka, "traffic", payloads, args.messages)
        results = {"ours": [], "origin": []}
        for number in range(args.rounds):
            results["ours"].append(ours(args, servers, "traffic", f"ours-{number}", args.messages, folder))
            print(results["ours"][-1], file=sys.stderr)
            if args.origin_messages:
                results["origin"].append(
                    origin(args, servers, "traffic", f"origin-{number}", args.origin_messages, train))
                print(results["origin"][-1], file=sys.stderr)
        servers.close()
    size = sum(map(len, payloads)) / len(payloads)
    print("# Messages through one worker\n")
    print(f"Printed by `benches/kafka/throughput.py` on {os.cpu_count()} processors, which broker, database and "
          f"worker share; {args.messages:,} messages of {size:,.0f} bytes of JSON in {args.partitions} partitions "
          f"({args.origin_messages:,} for the origin's design), medians of {args.rounds} rounds in turn.\n")
    print("| | messages/s | CPU µs per message: worker | broker | database | processors busy | peak memory | |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    print(row("Tripline", results["ours"], "5 reasons a verdict; predictions and alerts to Kafka"))
    if results["origin"]:
        print(row("origin's design", results["origin"], "no reasons; nothing to Kafka"))
        ratio = median(results["ours"], lambda one: one["rate"]) / median(results["origin"], lambda one: one["rate"])
        print(f"\nRatio of the rates: **{ratio:,.0f} ×**.")


if __name__ == "__main__":
    main()
