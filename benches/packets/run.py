#!/usr/bin/env python3
"""Measures Tripline and its peers on the same capture, in turn, and prints a Markdown table.

Processor seconds are those of the whole process tree (getrusage of the children), memory is the
largest resident set of one process. A peer that is not installed is named and left out.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

NFSTREAM = """
import sys
from nfstream import NFStreamer
for flow in NFStreamer(source=sys.argv[1], statistical_analysis=True, n_dissections=0):
    pass
"""


def measure(command):
    """CPU seconds, wall seconds and peak KiB of a command; its output is dropped."""
    return measure_with(command, subprocess.DEVNULL)


def measure_with(command, output):
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE
    )
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} failed ({process.returncode}): {errors[-500:].decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss


def ours(args):
    scan = [args.tripline, "scan", "--top", "0", "--models-dir", args.models]
    return {
        "Tripline, flows and both vectors": scan + ["--measure-only", args.capture],
        "Tripline, with verdicts": scan + [args.capture],
    }


def peers(args, folder):
    found = {}
    if shutil.which("nfpcapd"):
        found["nfpcapd (counts only)"] = ["nfpcapd", "-r", args.capture, "-w", folder]
    if shutil.which("argus"):
        found["argus"] = ["argus", "-r", args.capture, "-w", os.path.join(folder, "argus.out")]
    if shutil.which("suricata"):
        found["Suricata (flow log)"] = [
            "suricata", "-r", args.capture, "-l", folder, "-S", "/dev/null", "-k", "none",
            "--set", "outputs.0.fast.enabled=no", "--set", "stats.enabled=no",
        ]
    if args.nfstream_python:
        found["NFStream (statistical)"] = [args.nfstream_python, "-c", NFSTREAM, args.capture]
    for name in args.peer:
        label, _, command = name.partition("=")
        found[label] = command.replace("{capture}", args.capture).replace("{folder}", folder).split()
    return found


def packets_of(args):
    text = subprocess.run(
        [args.tripline, "scan", "--top", "0", "--json", "--measure-only", "--models-dir", args.models, args.capture],
        check=True, capture_output=True, text=True,
    ).stdout
    return int(re.search(r'"packets":(\d+)', text).group(1)), int(re.search(r'"flows":(\d+)', text).group(1))


# Shape, packets, and options of the scan.
SHAPES = [
    ("one-flow", 1_000_000, []),
    ("concurrent=10000", 1_000_000, []),
    ("concurrent=100000", 1_000_000, []),
    ("concurrent=100000", 10_000_000, []),
    ("syns", 1_000_000, []),
    ("concurrent=1000000", 10_000_000, []),
    ("concurrent=1000000", 10_000_000, ["--max-memory", "2048"]),
    ("concurrent=10000000", 10_000_000, []),
]


def shapes(args):
    """What a packet costs in traffic that is hard on the table of flows."""
    print("\n## Hostile shapes\n")
    print("`tripline generate --hostile SHAPE --packets PACKETS`, flows and both vectors; medians, of ten")
    print("million packets one round. Where flows do not fit the table (128 MiB, `--max-memory`), those that")
    print("were silent for longest make room: packets that come in turn then find no flow of theirs, and each")
    print("is a flow with its two vectors.\n")
    print("| shape | packets | flows | of them evicted | CPU seconds per million packets | CPU microseconds per flow | peak memory |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        capture, report = os.path.join(folder, "hostile.pcap"), os.path.join(folder, "report.json")
        written = None
        for shape, packets, options in SHAPES:
            if written != (shape, packets):
                subprocess.run(
                    [args.tripline, "generate", "--hostile", shape, "--packets", str(packets), "-o", capture],
                    check=True, stderr=subprocess.DEVNULL,
                )
                written = (shape, packets)
            command = [args.tripline, "scan", "--top", "0", "--json", "--measure-only", *options, capture]
            runs = []
            for _ in range(args.rounds if packets <= 1_000_000 else 1):
                with open(report, "w") as output:
                    runs.append(measure_with(command, output))
            with open(report) as found:
                counts = json.load(found)
            cpu = statistics.median(run[0] for run in runs)
            memory = statistics.median(run[2] for run in runs)
            print(
                f"| {' '.join([shape, *options])} | {packets:,} | {counts['flows']:,} | "
                f"{counts['evicted_flows']:,} | {cpu / packets * 1e6:.2f} | "
                f"{cpu / counts['flows'] * 1e6:,.2f} | {memory / 1024:.0f} MiB |"
            )


def scaling(args, packets):
    """One processor against all of them."""
    results = {}
    for _ in range(args.rounds):
        for name, command in ours(args).items():
            pair = results.setdefault(name, ([], []))
            pair[0].append(measure(["taskset", "-c", "0", *command]))
            pair[1].append(measure(command))
    print(f"\n## One processor and {os.cpu_count()}\n")
    print("The same capture with `taskset -c 0` and without, in turn; medians.\n")
    print("| | wall seconds, one | wall seconds, all | faster by | CPU seconds per million packets, one | all |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, (one, many) in results.items():
        median = lambda runs, part: statistics.median(run[part] for run in runs)
        print(
            f"| {name} | {median(one, 1):.2f} | {median(many, 1):.2f} | "
            f"{median(one, 1) / median(many, 1):.2f} × | "
            f"{median(one, 0) / packets * 1e6:.2f} | {median(many, 0) / packets * 1e6:.2f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture")
    parser.add_argument("--tripline", default="target/release/tripline")
    parser.add_argument("--models", default="models")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nfstream-python", help="a Python that has nfstream")
    parser.add_argument("--peer", action="append", default=[], help="NAME=COMMAND with {capture} and {folder}")
    args = parser.parse_args()

    packets, flows = packets_of(args)
    results = {}
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for name, command in {**ours(args), **peers(args, folder)}.items():
                results.setdefault(name, []).append(measure(command))
    size = os.path.getsize(args.capture)
    print("# Packets beside other programs\n")
    print("Printed by the commands in [`README.md`](README.md), on a virtual machine with 2 processors.\n")
    print(f"{packets:,} packets, {flows:,} flows, {size / 1e6:.0f} MB; medians of {args.rounds} rounds, all in turn.\n")
    for missing, tool in (("nfpcapd", "nfpcapd"), ("argus", "argus"), ("suricata", "Suricata")):
        if not shutil.which(missing):
            print(f"Not measured, because it is not installed: {tool}.\n")
    print("| | CPU seconds per million packets | wall seconds | peak memory | CPU, relative to Tripline with verdicts |")
    print("| --- | ---: | ---: | ---: | ---: |")
    median = lambda name, part: statistics.median(run[part] for run in results[name])
    base = median("Tripline, with verdicts", 0)
    for name in results:
        cpu = median(name, 0)
        print(
            f"| {name} | {cpu / packets * 1e6:.2f} | {median(name, 1):.2f} | "
            f"{median(name, 2) / 1024:.0f} MiB | {cpu / base:.1f} × |"
        )
    scaling(args, packets)
    shapes(args)


if __name__ == "__main__":
    main()
