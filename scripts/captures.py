#!/usr/bin/env python3
"""Prints what Tripline says about each of the public attack and benign captures, as Markdown.

    python3 scripts/captures.py > docs/captures.md

The captures are found through TRIPLINE_DATA (default ../shared/data). Nothing was trained on them.
"""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("TRIPLINE_DATA", REPOSITORY / "../shared/data")) / "captures"
TRIPLINE = os.environ.get("TRIPLINE_BIN", REPOSITORY / "target/release/tripline")
MODELS = os.environ.get("TRIPLINE_MODELS", REPOSITORY / "models")

# What the captures named in a goal are there for: every flow of the attacker counts.
GOALS = {
    "nmap scans": [
        "pcaps__ACK_SCAN.pcap", "pcaps__FIN_SCAN.pcap", "pcaps__FTP_BOUNCE_SCAN.pcap",
        "pcaps__IP_PROTOCOL_SCAN.pcap", "pcaps__NULL_SCAN.pcap", "pcaps__RPC_SCAN.pcap",
        "pcaps__TCP_CONNECT_SCAN.pcap", "pcaps__TCP_SYN_SCAN.pcap", "pcaps__UDP_SCAN.pcap",
        "pcaps__WINDOW_SCAN.pcap", "pcaps__XMAS_TREE_SCAN.pcap", "pcaps__version_scan.pcap",
        "nDPI__synscan.pcap", "packets__synscan.pcapng", "pcaps__portscan.pcap",
    ],
    "brute force": [
        "Stratosphere__malicious-ssh-bruteforce.pcap", "zeek__sshguess.pcap",
        "pcaps__ftp-crack.pcap", "zeek__bruteforce.pcap",
    ],
    "slowloris": ["attacker__slowloris.pcap", "attacker__test7.pcapng"],
    "floods": [
        "pcaps__dosattack.pcap", "suricata-ver__tcp-session-syn-flood-drop-precedence__input.pcap",
        "pcaps__UDP_Echo7_Chargen19_DoS.pcap", "attacker__icmp_blacknurse.pcap",
        "suricata-ver__ipv6-rsmurf__rsmurf6.pcap",
    ],
}


MISSES = """
## What is missed, and why

- **One connection of an exploit, a tunnel, a command channel or lateral movement** looks like others by
  its headers, sizes and times; what makes it an attack is its content, which is not looked at. Of most
  such captures nothing is flagged.
- **SSH guesses at a human pace** (`zeek__sshguess.pcap`): each connection is that of somebody who
  mistypes a password three times. Only their repetition every few seconds tells, and the window of
  KDD'99 that counts connections to one host is two seconds long. The same holds for the 16 parallel
  guessers of `Stratosphere__malicious-ssh-bruteforce.pcap`, which ask port 902: a burst of short
  sessions to one service is what administration looks like too.
- **A flood that is forged at both ends** (`pcaps__dosattack.pcap`): a hundred SYNs, each from another
  source to another destination. No two share a host; it is flagged once the window of one service has
  filled with attempts, which is near its end.
- **A scan for IP protocols** (`pcaps__IP_PROTOCOL_SCAN.pcap`): CICFlowMeter knows five protocols and
  takes all others between two hosts for one flow, so that 508 packets make nine flows.
- **Two datagrams** (`pcaps__UDP_Echo7_Chargen19_DoS.pcap`) are no flood.
"""


def manifest():
    with open(DATA / "MANIFEST.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    return {row[1]: row[-1] for row in rows if len(row) > 2}


def flows_of(path):
    run = subprocess.run(
        [TRIPLINE, "scan", "--models-dir", MODELS, "--format", "jsonl", "--top", "0", path],
        capture_output=True, text=True,
    )
    if run.returncode != 0:
        sys.exit(f"{path}: {run.stderr.strip()}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def share(part, whole):
    return f"{part / whole * 100:.1f} %" if whole else "–"


def describe(name, flows, what):
    threats = [flow for flow in flows if flow["is_threat"]]
    classes = Counter(flow["attack_class"] or "threat" for flow in threats)
    reasons = Counter()
    for flow in threats:
        for reason in flow["reasons"][:3]:
            if reason["contribution"] > 0:
                reasons[reason["feature"]] += 1
    as_what = ", ".join(f"{label} {count}" for label, count in classes.most_common(3))
    why = ", ".join(feature for feature, _ in reasons.most_common(3))
    text = what.replace("|", "/")
    return (
        f"| `{name}` | {text} | {len(flows)} | {len(threats)} | {share(len(threats), len(flows))} "
        f"| {as_what or '–'} | {why or '–'} |"
    )


def main():
    if not DATA.is_dir():
        sys.exit(f"{DATA} is not there: set TRIPLINE_DATA")
    about = manifest()
    found = {}
    print("# What the models say about real captures\n")
    print("Printed by `python3 scripts/captures.py`; the captures are those of the public test data. No model was")
    print("trained on them, but they showed which kinds of ordinary traffic the generator lacked: this is no sealed")
    print("test. *Flagged* counts flows at their end. *Why* names the features that most often stand among the")
    print("three strongest reasons.\n")
    for kind in ("attack", "benign"):
        print(f"## {kind}\n")
        print("| capture | what it is | flows | flagged | share | as | why |")
        print("| --- | --- | ---: | ---: | ---: | --- | --- |")
        total = Counter()
        for path in sorted((DATA / kind).iterdir()):
            flows = flows_of(path)
            flagged = sum(flow["is_threat"] is True for flow in flows)
            found[path.name] = (len(flows), flagged)
            total["flows"] += len(flows)
            total["flagged"] += flagged
            print(describe(path.name, flows, about.get(path.name, "–")))
        print(f"| **all** | | {total['flows']} | {total['flagged']} | {share(total['flagged'], total['flows'])} | | |\n")
    print("## In sum\n")
    print("| captures | flows | flagged | share |")
    print("| --- | ---: | ---: | ---: |")
    for name, captures in GOALS.items():
        for capture in captures:
            flows, flagged = found[capture]
            print(f"| {name}: `{capture}` | {flows} | {flagged} | {share(flagged, flows)} |")
    print(MISSES.rstrip())


if __name__ == "__main__":
    main()
