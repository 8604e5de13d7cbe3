#!/usr/bin/env python3
"""How much slower single scores are answered while a model is trained in the background.

    python3 benches/retraining.py [--bin target/release/tripline] [--data ../shared/data]

A server is started on an empty store with the models that ship. Records are scored one by one at a
constant rate, first while nothing else happens, then while a detector is retrained; this is done in turn,
and the medians of the 99th percentiles and their ratio are printed as Markdown.
"""

import argparse
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = "nsl-kdd-detector-full"


def ask(address, method, path, body=None):
    connection = http.client.HTTPConnection(address, timeout=60)
    content = None if body is None else json.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {answer.status} {text.decode()}")
    return json.loads(text) if text else None


def load(address, rows, rate, seconds, keep_on):
    """Seconds that each answer took, from the time at which it was due."""
    clients = 4
    times = [[] for _ in range(clients)]
    begun = time.monotonic()

    def client(number):
        connection = http.client.HTTPConnection(address, timeout=60)
        step = clients / rate
        due = begun + number / rate
        at = number
        while due < begun + seconds and keep_on():
            time.sleep(max(0.0, due - time.monotonic()))
            connection.request(
                "POST",
                "/api/v1/score",
                rows[at % len(rows)],
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"a score was answered with {answer.status}")
            times[number].append(time.monotonic() - due)
            due += step
            at += clients

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(value for part in times for value in part)


def percentile(times, share):
    return times[min(len(times) - 1, int(len(times) * share))] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=ROOT / "target/release/tripline")
    parser.add_argument(
        "--data", default=os.environ.get("TRIPLINE_DATA", ROOT / "../shared/data")
    )
    parser.add_argument("--rate", type=float, default=200, help="scores a second")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        csv = pathlib.Path(folder) / "rows.csv"
        subprocess.run(
            [args.bin, "demo", "--write-csv", csv, "--rows", "500"], check=True
        )
        head, *lines = csv.read_text().splitlines()
        names = head.split(",")[:41]
        rows = [
            json.dumps({"features": dict(zip(names, line.split(",")))})
            for line in lines
        ]
        server = subprocess.Popen(
            [
                args.bin,
                "serve",
                "--listen=127.0.0.1:0",
                f"--data-dir={folder}/data",
                f"--models-dir={ROOT}/models",
                f"--training-data={args.data}",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = server.stdout.readline().strip().rpartition("//")[2]
            listed = ask(address, "GET", "/api/v1/models")["models"]
            model = next(one["id"] for one in listed if one["name"] == MODEL)
            label(address, rows, [line.split(",")[41] for line in lines])
            measure(args, address, rows, model)
        finally:
            server.terminate()
            server.wait()


def label(address, rows, names):
    """A retraining needs labels: those of the records, which are known."""
    features = [json.loads(row)["features"] for row in rows]
    scored = ask(address, "POST", "/api/v1/score", {"rows": features})["verdicts"]
    labels = [
        {"verdict_id": one["id"], "is_attack": name != "normal"}
        for one, name in zip(scored, names)
    ]
    ask(address, "POST", "/api/v1/labels", {"author": "truth", "labels": labels})


def measure(args, address, rows, model):
    load(address, rows, args.rate, 3, lambda: True)
    idle, busy = [], []
    for _ in range(args.repeat):
        idle.append(load(address, rows, args.rate, args.seconds, lambda: True))
        ask(address, "POST", "/api/v1/retraining", {"model_id": model})
        time.sleep(1)
        runs = [True]

        def watch():
            while runs[0]:
                job = ask(address, "GET", "/api/v1/retraining")["current"]
                runs[0] = runs[0] and job is not None
                time.sleep(0.5)

        watcher = threading.Thread(target=watch)
        watcher.start()
        busy.append(load(address, rows, args.rate, args.seconds, lambda: runs[0]))
        ended = not runs[0]
        runs[0] = False
        watcher.join()
        if not ended:
            ask(address, "DELETE", "/api/v1/retraining/current")
        while ask(address, "GET", "/api/v1/retraining")["current"] is not None:
            time.sleep(0.2)
    command = " ".join(["python3 benches/retraining.py", *sys.argv[1:]])
    print(f"# Scores while a model is trained\n\nPrinted by `{command}`,")
    print(f"on a machine with {os.cpu_count()} processors.\n")
    print(f"{args.rate:.0f} scores a second, {args.repeat} times {args.seconds:.0f} s each, in turn;")
    print("medians of milliseconds from the time a request was due to its answer.\n")
    print("| | idle | while training | ratio |\n| --- | --- | --- | --- |")
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        sides = [
            statistics.median(percentile(times, share) for times in side)
            for side in (idle, busy)
        ]
        print(f"| {name} | {sides[0]:.2f} | {sides[1]:.2f} | {sides[1] / sides[0]:.2f} |")
    counts = [sum(len(times) for times in side) for side in (idle, busy)]
    print(f"\n{counts[0]} and {counts[1]} requests, none failed.")


if __name__ == "__main__":
    main()
