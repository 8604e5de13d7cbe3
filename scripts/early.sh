#!/bin/bash
# Prints what early verdicts cost, as Markdown: scripts/early.sh > docs/early.md
set -Eeuo pipefail
cd "$(dirname "$0")/.."
tripline=${TRIPLINE_BIN:-target/release/tripline}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
seed=9001
"$tripline" generate --seed $seed -o "$folder/a.pcap" --labels "$folder/a.csv" 2>/dev/null
cat <<'TEXT'
# What an early verdict costs

A flow gets its final verdict when it ends: a long one after up to two minutes. An early verdict is given
at a number of packets or an age, whichever comes first, and again when the connection is over; the final
one takes its place under the same identifier. Printed by `scripts/early.sh`: generated traffic (`tripline
generate --seed 9001`, a seed that no model was trained on), judged by the models that ship with `tripline
evaluate --labels … --early-packets N --early-seconds S`. What is flagged early is compared with what is
flagged at the end for the same flows.

Models for packets are trained on young flows as well as on ended ones. Before ten packets false alarms
are several times as frequent as at the end; from there on an early verdict finds nearly what the final
one finds. Live sources therefore use 20 packets or 12 seconds. Most flows of scans and floods have one or
two packets and are told by their age, when what was asked and not answered is known to be an attempt.

TEXT
echo "| early at | attacks flagged early | … at the end | ordinary flows flagged early | … at the end |"
echo "| --- | ---: | ---: | ---: | ---: |"
for point in "2 1" "5 2" "10 5" "20 12" "50 30"; do
    read -r packets seconds <<<"$point"
    "$tripline" evaluate "$folder/a.pcap" --labels "$folder/a.csv" \
        --early-packets "$packets" --early-seconds "$seconds" 2>/dev/null >"$folder/$packets.md"
    cells() { grep "\*\*$1\*\*" "$folder/$packets.md" | cut -d'|' -f"$2" | tr -d ' ' | sed 's/%/ %/'; }
    echo "| $packets packets or $seconds s | $(cells 'all attacks' 7) | $(cells 'all attacks' 8) | $(cells 'all ordinary' 7) | $(cells 'all ordinary' 8) |"
done
echo
echo "By attack, at 20 packets or 12 seconds:"
echo
cat "$folder/20.md"
