"""Servers, load and processor time for the measurements in this folder."""

import csv
import http.client
import json
import os
import subprocess
import time

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

TICK = os.sysconf("SC_CLK_TCK")


class Servers:
    """A real Kafka broker and a real PostgreSQL, which end with this process."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        where = json.loads(self.process.stdout.readline())
        self.kafka, self.postgres = where["kafka"], where["postgres"]

    def ask(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "done":
            raise RuntimeError(f"{words}: {answer}")

    def database(self, name):
        self.ask(f"database {name}")
        return self.postgres.rsplit("/", 1)[0] + "/" + name

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def records(tripline, rows, folder):
    """Generated records as a CSV file and as JSON payloads."""
    path = os.path.join(folder, f"records-{rows}.csv")
    subprocess.run([tripline, "demo", "--write-csv", path, "--rows", str(rows), "--seed", "1"],
                   check=True, stdout=subprocess.DEVNULL)
    payloads = []
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            row.pop("label", None)
            row.pop("difficulty", None)
            payloads.append(json.dumps({name: number(value) for name, value in row.items()}).encode())
    return path, payloads


def number(text):
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() else value


def make_topics(brokers, names, partitions):
    admin = AdminClient({"bootstrap.servers": brokers})
    made = admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names])
    for future in made.values():
        future.result()


def fill(brokers, topic, payloads, count):
    """Puts so many messages into a topic."""
    producer = Producer({
        "bootstrap.servers": brokers, "compression.type": "zstd", "linger.ms": 20,
        "queue.buffering.max.messages": 1_000_000, "queue.buffering.max.kbytes": 512 << 10,
    })
    for index in range(count):
        while True:
            try:
                producer.produce(topic, payloads[index % len(payloads)], key=str(index % 251))
                break
            except BufferError:
                producer.poll(0.1)
        if index % 1000 == 0:
            producer.poll(0)
    producer.flush()


class Tripline:
    """A server in a process of its own."""

    def __init__(self, program, models, folder, options, log="warn,librdkafka=off"):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder, "--models-dir", models, *options],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "TRIPLINE_LOG": log})
        self.address = self.process.stdout.readline().strip().removeprefix("listening on http://")

    def get(self, path):
        host, port = self.address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request("GET", path)
        body = connection.getresponse().read().decode()
        connection.close()
        return body

    def health(self):
        return json.loads(self.get("/api/v1/health/detailed"))

    def books(self, topic):
        """The books of a topic; says so when they do not balance."""
        books = next(one for one in self.health()["checks"]["kafka"]["ledger"] if one["topic"] == topic)
        parts = ("scored", "dead_lettered", "rejected", "dropped", "handed_back", "pending")
        if books["received"] != sum(books[part] for part in parts):
            raise RuntimeError(f"the books do not balance: {books}")
        return books

    def close(self):
        self.process.terminate()
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


def cpu_seconds(pid=None, name=None):
    """Processor seconds of a process, or of all with a name, and of their ended children."""
    total = 0
    for entry in [str(pid)] if pid else filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        comm, fields = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        if pid is None and comm != name:
            continue
        total += int(fields[11]) + int(fields[12])
        # A backend that has ended is counted by its parent.
        if comm == "postgres":
            total += int(fields[13]) + int(fields[14])
    return total / TICK


def memory_mib(pid, what="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(what):
                return int(line.split()[1]) / 1024
    return 0.0


def until(what, is_so, seconds=600, pause=0.1):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: it never came about")
        time.sleep(pause)
