#!/usr/bin/env python3
"""A live capture that gets many times the packets that it can meter: books, lag and memory. Prints Markdown.

It needs root, iproute2, tcpreplay and the cpu controller of cgroups: the server runs in a network namespace
of its own and gets a small share of one processor, so that many times what it can do can be sent at all.
"""

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time

NAMESPACE, OUTSIDE, INSIDE = "tripline-overload", "tl-out", "tl-in"
ADDRESS = ("198.19.255.1/30", "198.19.255.2/30")


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Share:
    """A cgroup that gets a share of one processor."""

    def __init__(self, percent):
        unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        self.path = f"/sys/fs/cgroup/{'' if unified else 'cpu/'}{NAMESPACE}"
        os.makedirs(self.path, exist_ok=True)
        if unified:
            self.write("cpu.max", f"{percent * 1000} 100000")
        else:
            self.write("cpu.cfs_period_us", "100000")
            self.write("cpu.cfs_quota_us", str(percent * 1000))

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as file:
            file.write(text)

    def close(self):
        os.rmdir(self.path)


class Server:
    def __init__(self, args, folder, share):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", NAMESPACE, args.tripline, "serve", "--listen", ADDRESS[1].split("/")[0] + ":8000",
             "--allow-remote", "--data-dir", folder, "--models-dir", args.models, "--capture", INSIDE],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "TRIPLINE_LOG": "error"})
        self.address = self.process.stdout.readline().strip().removeprefix("listening on http://")
        share.write("cgroup.procs", str(self.process.pid))

    def get(self, path):
        host, port = self.address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.request("GET", path)
        body = connection.getresponse().read().decode()
        connection.close()
        return body

    def books(self):
        return json.loads(self.get("/api/v1/health/detailed"))["checks"]["sources"]["packet_capture"]

    def lag(self):
        """Counts of the buckets by their upper bound."""
        found = re.findall(r'capture_lag_seconds_bucket\{le="([^"]+)"\} (\d+)', self.get("/metrics"))
        return [(float(bound), int(count)) for bound, count in found]

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return max(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024

    def close(self):
        self.process.terminate()
        self.process.wait()


def quantile(before, after, share):
    """The upper bound of the bucket in which the quantile lies."""
    counts = [(bound, count - old) for (bound, count), (_, old) in zip(after, before)]
    wanted = counts[-1][1] * share
    return next(bound for bound, count in counts if count >= wanted), counts[-1][1]


def replay(args, rate, seconds):
    return subprocess.Popen(
        ["tcpreplay", "-i", OUTSIDE, "--pps", str(rate), "--loop", "0", "--duration", str(seconds), "-K", "-q",
         args.capture], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def check(books):
    """What is left waits, or is being metered: never less than nothing, and never more than fits."""
    waiting = books["frames"] - books["packets"] - books["not_decoded"] - books["dropped_queue"]
    if not 0 <= waiting <= 2 * (1 << 18):
        sys.exit(f"the books do not balance: {books}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture")
    parser.add_argument("--tripline", default="target/release/tripline")
    parser.add_argument("--models", default="models")
    parser.add_argument("--rate", type=int, default=200_000, help="packets a second")
    parser.add_argument("--percent", type=int, default=10, help="share of one processor")
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    share = Share(args.percent)
    run("ip", "netns", "add", NAMESPACE)
    server = None
    try:
        run("ip", "link", "add", OUTSIDE, "type", "veth", "peer", "name", INSIDE, "netns", NAMESPACE)
        run("ip", "address", "add", ADDRESS[0], "dev", OUTSIDE)
        run("ip", "link", "set", OUTSIDE, "up")
        for words in (f"address add {ADDRESS[1]} dev {INSIDE}", f"link set {INSIDE} up", "link set lo up"):
            run("ip", "-n", NAMESPACE, *words.split())
        with tempfile.TemporaryDirectory() as folder:
            server = Server(args, folder, share)
            lag, books = server.lag(), server.books()
            load = replay(args, args.rate, args.seconds)
            checks = 0
            while load.poll() is None:
                check(server.books())
                checks += 1
                time.sleep(1)
            after, late = server.books(), server.lag()
            check(after)
            sent = sum(after[name] - books[name] for name in ("frames", "dropped_kernel"))
            metered = after["packets"] - books["packets"]
            p99, verdicts = quantile(lag, late, 0.99)
            median, _ = quantile(lag, late, 0.5)
            print("# A live capture under many times its load\n")
            print(f"Printed by `benches/live/overload.py --percent {args.percent}`: the server has {args.percent} % of one "
                  f"processor, and gets {sent / metered:.0f} times what it can meter, judge and store with it.\n")
            print("| | |")
            print("| --- | ---: |")
            print(f"| packets a second, for {args.seconds} s | {sent / args.seconds:,.0f} |")
            print(f"| packets in all | {sent:,} |")
            print(f"| of these metered | {metered:,} |")
            print(f"| shed by the queue | {after['dropped_queue'] - books['dropped_queue']:,} |")
            print(f"| shed by the kernel | {after['dropped_kernel'] - books['dropped_kernel']:,} |")
            print(f"| not decoded | {after['not_decoded'] - books['not_decoded']:,} |")
            print(f"| looks at the books, all balanced | {checks} |")
            print(f"| verdicts stored | {verdicts:,} |")
            print(f"| lag from traffic to stored verdict: median at most | {median:.2f} s |")
            print(f"| 99th percentile at most | {p99:.2f} s |")
            print(f"| peak memory | {server.memory():,.0f} MiB |")
    finally:
        if server:
            server.close()
        run("ip", "netns", "del", NAMESPACE)
        subprocess.run(["ip", "link", "del", OUTSIDE], check=False, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        share.close()


if __name__ == "__main__":
    main()
