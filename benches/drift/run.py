#!/usr/bin/env python3
"""Shows the same windows to Tripline, Evidently and NannyML and prints a Markdown document.

COMMANDS below says how. Every program reads the same CSV files. Processor time is that
of the whole process, memory its largest resident set.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time

TOLERANCE = 0.03
HERE = os.path.dirname(os.path.abspath(__file__))
COMMANDS = """\
cargo build --release -p tripline-lifecycle --example drift_validation
python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r benches/drift/requirements.txt
TRIPLINE_DATA=../shared/data /tmp/peers/bin/python benches/drift/run.py /tmp/windows > benches/DRIFT.md
"""
# Windows that are timed: unchanged, other attacks, a shift, missing values, another file.
TIMED = ["none", "25 % attacks", "+0.1 s.d. on `count`", "10 % missing of 5 features", "KDDTest+"]


def measure(command):
    """Output, processor seconds, wall seconds and peak KiB of a command."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} failed ({process.returncode})")
    return output, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss


def commands(args, folder):
    peers = os.path.join(HERE, "peers.py")
    return {
        "Tripline": [args.tripline, "--measure", folder],
        "Evidently": [args.python, peers, "evidently", folder],
        "NannyML": [args.python, peers, "nannyml", folder],
    }


def answers(output):
    """What a program said, by window; the model's score is no feature."""
    by_name = {}
    for line in output.splitlines():
        if not line.startswith('{"'):
            continue
        said = json.loads(line)
        said["drifted"] = [name for name in said["drifted"] if name != "score"]
        estimate = said.get("estimate") or {}
        said["f1"] = said.get("f1", estimate.get("f1"))
        by_name[said["name"]] = said
    return by_name


def true_f1(path):
    hits = wrong = 0
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            hits += row["threat"] == "1" and row["attack"] == "1"
            wrong += row["threat"] != row["attack"]
    return 2 * hits / (2 * hits + wrong)


def timed_folder(folder, listed):
    """The same files with a few of the windows."""
    few = os.path.join(folder, "timed")
    os.makedirs(few, exist_ok=True)
    for name in ("windows", "model.tripline", "training.csv", "reference.csv"):
        if not os.path.lexists(os.path.join(few, name)):
            os.symlink(os.path.join(folder, name), os.path.join(few, name))
    chosen = [next(window for window in listed if window["scenario"] == name) for name in TIMED]
    with open(os.path.join(few, "windows.json"), "w") as file:
        json.dump(chosen, file)
    return few


def grouped(listed):
    groups = {}
    for window in listed:
        groups.setdefault(window["scenario"], []).append(window)
    return groups


def named(window, said):
    wanted = window["features"]
    hits = [name for name in said["drifted"] if name in wanted]
    return len(hits), len(said["drifted"]) - len(hits)


def print_summary(listed, said):
    print("## What is called drifted\n")
    print(
        "*Unchanged*: windows whose values are those of training, and how many of them name any feature.\n"
        "*Changed*: windows of which features were changed on purpose; how many name any feature, how many all\n"
        "that were changed, and how many others on average. *Attacks*: windows with more, fewer or other attacks.\n"
    )
    print("| | unchanged | changed: any named | all named | others | attacks: any named | KDDTest+: any named | features named there |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    kinds = {
        "unchanged": [w for w in listed if w["is_same"]],
        "changed": [w for w in listed if w["features"]],
        "test": [w for w in listed if w["scenario"] == "KDDTest+"],
    }
    kinds["attacks"] = [w for w in listed if not any(w in group for group in kinds.values())]
    for tool, by_name in said.items():
        any_named = {
            kind: f"{sum(bool(by_name[w['name']]['drifted']) for w in group)}/{len(group)}"
            for kind, group in kinds.items()
        }
        counted = [(named(w, by_name[w["name"]]), len(w["features"])) for w in kinds["changed"]]
        complete = sum(hits == wanted for (hits, _), wanted in counted)
        others = statistics.mean(other for (_, other), _ in counted)
        of_test = statistics.mean(len(by_name[w["name"]]["drifted"]) for w in kinds["test"])
        print(
            f"| {tool} | {any_named['unchanged']} | {any_named['changed']} | {complete}/{len(counted)} "
            f"| {others:.1f} | {any_named['attacks']} | {any_named['test']} | {of_test:.1f} |"
        )
    print()


def print_windows(listed, said):
    print("## Window by window\n")
    print("Changed features that are named, of those changed, + others that are named; means over the windows of a line.\n")
    print("| change | windows | " + " | ".join(said) + " |")
    print("| --- | ---: |" + " ---: |" * len(said))
    for scenario, group in grouped(listed).items():
        cells = []
        for by_name in said.values():
            counts = [named(window, by_name[window["name"]]) for window in group]
            hits = statistics.mean(count[0] for count in counts)
            others = statistics.mean(count[1] for count in counts)
            wanted = len(group[0]["features"])
            cells.append((f"{hits:g} of {wanted} + " if wanted else "") + f"{others:.1f}".removesuffix(".0"))
        print(f"| {scenario} | {len(group)} | " + " | ".join(cells) + " |")
    print()


def print_estimates(listed, said, truth):
    print("## Estimates of F1 without labels\n")
    print("Means over the windows of a line; Evidently has no such estimate.\n")
    print("| change | true F1 | Tripline | NannyML |\n| --- | ---: | ---: | ---: |")
    tallies = {tool: [0, 0, 0] for tool in ("Tripline", "NannyML")}
    for scenario, group in grouped(listed).items():
        cells = []
        for tool, tally in tallies.items():
            known = []
            for window in group:
                estimate = said[tool][window["name"]]["f1"]
                if estimate is None:
                    tally[2] += 1
                    continue
                known.append(estimate)
                tally[abs(estimate - truth[window["name"]]) > TOLERANCE] += 1
            cells.append(f"{statistics.mean(known):.3f}" if known else "unknown")
        mean = statistics.mean(truth[window["name"]] for window in group)
        print(f"| {scenario} | {mean:.3f} | {cells[0]} | {cells[1]} |")
    print()
    print("| | within 3 points | unknown | outside |\n| --- | ---: | ---: | ---: |")
    for tool, (right, wrong, unknown) in tallies.items():
        print(f"| {tool} | {right} | {unknown} | {wrong} |")
    print()


def print_costs(args, folder, listed):
    few = timed_folder(folder, listed)
    runs = {}
    for _ in range(args.rounds):
        for tool, command in commands(args, few).items():
            runs.setdefault(tool, []).append(measure(command)[1:])
    print("## Time and memory\n")
    print(
        f"{len(TIMED)} windows in one process: start, reading the files, drift, and the estimate where there is\n"
        f"one. Medians of {args.rounds} rounds, the programs in turn. Tripline's baseline is part of the model's file;\n"
        "the others read and keep the rows.\n"
    )
    print("| | processor seconds | wall seconds | peak memory | time, relative | memory, relative |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    median = lambda tool, part: statistics.median(run[part] for run in runs[tool])
    for tool in runs:
        cpu, wall, memory = (median(tool, part) for part in range(3))
        print(
            f"| {tool} | {cpu:.2f} | {wall:.2f} | {memory / 1024:.0f} MiB "
            f"| {cpu / median('Tripline', 0):.0f} × | {memory / median('Tripline', 2):.0f} × |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="for the windows; written when it is not there")
    parser.add_argument("--tripline", default="target/release/examples/drift_validation")
    parser.add_argument("--python", default=sys.executable, help="a Python that has the peers")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    folder = os.path.abspath(args.folder)
    if not os.path.exists(os.path.join(folder, "windows.json")):
        subprocess.run([args.tripline, "--export", folder], check=True)
    with open(os.path.join(folder, "windows.json")) as file:
        listed = json.load(file)
    truth = {w["name"]: true_f1(os.path.join(folder, "windows", f"{w['name']}.csv")) for w in listed}
    said = {tool: answers(measure(command)[0]) for tool, command in commands(args, folder).items()}
    print("# Drift and estimates beside other programs\n")
    print("Printed by\n\n```sh\n" + COMMANDS + "```\n\non a virtual machine with 2 processors.\n")
    print(
        f"{len(listed)} windows of 5000 rows, drawn as in [`docs/drift.md`](../docs/drift.md) from rows of KDDTrain+ that the\n"
        "model was not trained on, or from KDDTest+. Evidently 0.7.23 (`DataDriftPreset`) and NannyML 0.13.1\n"
        "(`UnivariateDriftCalculator`, `MissingValuesCalculator`, `UnseenValuesCalculator`, `CBPE`) as they come; the\n"
        "baseline of all three is the rows that the model was trained on. The model's score is not counted among\n"
        "the features. Evidently's preset does not look at missing values.\n"
    )
    failed = [f"{tool}, window {w['name']}: {by_name[w['name']]['error']}" for tool, by_name in said.items()
              for w in listed if by_name[w["name"]].get("error")]
    if failed:
        print("Not answered: " + "; ".join(failed) + ".\n")
    print_summary(listed, said)
    print_windows(listed, said)
    print_estimates(listed, said, truth)
    print_costs(args, folder, listed)


if __name__ == "__main__":
    main()
