# Sourced by scripts/fuzz: inputs to begin with.
# shellcheck shell=bash

# Larger captures cost speed and reach nothing that smaller ones do not.
max_seed_bytes=65536

# hex FILE DIGITS...: writes bytes.
hex() {
    local file=$1 digits
    shift
    digits=$(printf '%s' "$*" | tr -d ' \n')
    # The digits are those of this file.
    # shellcheck disable=SC2059
    printf "$(printf '%s' "$digits" | sed 's/../\\x&/g')" >"$file"
}

# text FILE LINE...: writes lines; \t in them is a tab.
text() {
    local file=$1
    shift
    printf '%b\n' "$@" >"$file"
}

ipv4_tcp="4500002c 00010000 40060000 0a000001 0a000002
    04d20050 00000001 00000000 50022000 00000000 74657374"
ipv4_udp="45000020 00020000 40110000 0a000001 0a000002 04d20035 000c0000 74657374"
ipv4_first="45000024 00032000 40110000 0a000001 0a000002 04d20035 00180000 7465737474657374"
ipv4_later="4500001c 00030002 40110000 0a000001 0a000002 7465737474657374"
ipv6_chain="60000000 00243c40 20010db8000000000000000000000001 20010db8000000000000000000000002
    2b00010400000000 2c00000000000000 11000001 00000007 04d20035 000c0000 74657374"
macs="020000000001 020000000002"
gre="45000044 00040000 402f0000 0a000003 0a000004 00000800 $ipv4_tcp"
vxlan="4500005e 00050000 40110000 0a000003 0a000004 04d212b5 004a0000
    0800000000000100 $macs 0800 $ipv4_tcp"

# le16 NUMBER, le32 NUMBER: as hexadecimal digits.
le16() { printf '%02x%02x' $(($1 & 255)) $(($1 >> 8 & 255)); }
le32() { printf '%s%s' "$(le16 $(($1 & 65535)))" "$(le16 $(($1 >> 16)))"; }
count() { local digits; digits=$(printf '%s' "$*" | tr -d ' \n'); echo $((${#digits} / 2)); }

pcap_header() { printf 'd4c3b2a1 0200 0400 00000000 00000000 ffff0000 %s' "$(le32 "$1")"; }
# pcap_record SECOND FRAME
pcap_record() {
    local length
    length=$(le32 "$(count "$2")")
    printf '%s 00000000 %s %s %s' "$(le32 "$1")" "$length" "$length" "$2"
}

seed_captures() {
    local corpus=$1 data=${TRIPLINE_DATA:-../shared/data} frame records="" second=1 ipv6
    if [ -d "$data/captures" ]; then
        find "$data/captures/" -type f -name '*.*cap*' -size -$((max_seed_bytes / 1024 + 1))k \
            -exec cp -u --no-preserve=mode -t "$corpus" {} +
    fi
    ipv6="$macs 86dd $ipv6_chain"
    for frame in "$ipv4_tcp" "$ipv4_udp" "$ipv4_first" "$ipv4_later" "$gre" "$vxlan"; do
        records+=$(pcap_record $second "$macs 0800 $frame")
        second=$((second + 1))
    done
    records+=$(pcap_record $second "$ipv6")
    hex "$corpus/seed-pcap" "$(pcap_header 1) $records"
    hex "$corpus/seed-pcapng" "0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffffffffffff 1c000000" \
        "01000000 20000000 65000000 00000000 09000100 09000000 00000000 20000000" \
        "06000000 4c000000 00000000 00000000 01000000 2c000000 2c000000 $ipv4_tcp 4c000000" \
        "03000000 30000000 20000000 $ipv4_udp 30000000"
}

seed_frames() {
    local corpus=$1 link head frames frame number=0
    # Link types with what comes before an IPv4 packet.
    while read -r link head; do
        frames="" number=$((number + 1))
        for frame in "$ipv4_tcp" "$ipv4_first" "$ipv4_later" "$gre" "$vxlan"; do
            frames+="$(le16 "$(count "$head$frame")") $head $frame"
        done
        hex "$corpus/seed-link-$link-$number" "00 $(le16 "$link") $frames"
    done <<LINKS
0 02000000
1 0200000000010200000000020800
1 02000000000102000000000281000001810000020800
1 020000000001020000000002884700010040000201ff
1 02000000000102000000000288641100000100300021
9 ff030021
50 ff030021
51 1100000100300021
101
104 0f000800
105 080000000000000000000000000000000000000000000000aaaa030000000800
107 184103cc
108 00000002
113 00000001000602000000000100000800
127 0000080000000000080000000000000000000000000000000000000000000000aaaa030000000800
228
239 0200000024000900
276 0800000000000001000100060200000000010000
LINKS
    hex "$corpus/seed-ipv6" "00 e500 $(le16 "$(count "$ipv6_chain")") $ipv6_chain"
}

seed_zeek() {
    text "$1/seed-tsv" '#separator \\x09' '#set_separator\t,' '#empty_field\t(empty)' \
        '#unset_field\t-' '#path\tconn' \
        '#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes' \
        '#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tcount\tstring\tcount\tcount\tcount\tcount' \
        '1521911721.255387\tC1\t10.0.0.1\t49152\t10.0.0.2\t80\ttcp\thttp\t0.5\t100\t2000\tSF\t0\tShADadFf\t6\t420\t5\t2268' \
        '1521911722.000000\tC2\t2001:db8::1\t53\t2001:db8::2\t53\tudp\t-\t-\t-\t-\tS0\t0\tD\t1\t60\t0\t0' \
        '#close\t2018-03-24-17-15-22'
    text "$1/seed-json" '{"ts":1521911721.255387,"uid":"C1","id.orig_h":"10.0.0.1","id.orig_p":49152,"id.resp_h":"10.0.0.2","id.resp_p":80,"proto":"tcp","duration":0.5,"orig_bytes":100,"resp_bytes":2000,"conn_state":"SF","history":"ShADadFf","orig_pkts":6,"orig_ip_bytes":420,"resp_pkts":5,"resp_ip_bytes":2268}' \
        '{"ts":"2018-03-24T17:15:21.255387Z","id.orig_h":"::1","id.orig_p":3,"id.resp_h":"::2","id.resp_p":1,"proto":"icmp"}'
}

seed_eve() {
    text "$1/seed-flow" '{"timestamp":"2018-03-24T17:15:21.255387+0000","flow_id":1,"event_type":"flow","src_ip":"10.0.0.1","src_port":49152,"dest_ip":"10.0.0.2","dest_port":80,"proto":"TCP","app_proto":"http","flow":{"pkts_toserver":6,"pkts_toclient":5,"bytes_toserver":420,"bytes_toclient":2268,"start":"2018-03-24T17:15:20.000000+0000","end":"2018-03-24T17:15:21.000000+0000","age":1,"state":"closed","reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"state":"closed"}}' \
        '{"timestamp":"2018-03-24T17:15:22.000000+0000","event_type":"dns","src_ip":"::1","dest_ip":"::2"}'
}

seed_netflow() {
    local corpus=$1 v5 v9 ipfix name message length
    v5="0005 0001 00010000 5ab68669 00000000 00000001 0000 0000
        0a000001 0a000002 00000000 0001 0002 00000006 000001a4 00001000 00002000
        c000 0050 00 1b 06 00 0000 0000 1818 0000"
    v9="0009 0002 00010000 5ab68669 00000001 00000000
        0000 0030 0100 000a 0008 0004 000c 0004 0007 0002 000b 0002 0004 0001 0006 0001
        0001 0004 0002 0004 0016 0004 0015 0004
        0100 0024 0a000001 0a000002 c000 0050 06 1b 000001a4 00000006 00001000 00002000 0000"
    ipfix="000a 0061 5ab68669 00000001 00000000
        0002 0028 0100 0008 0008 0004 000c 0004 0007 0002 000b 0002 0004 0001 0001 0008
        0098 0008 0099 0008
        0100 0029 0a000001 0a000002 c000 0050 06 00000000000001a4 00000162590bd000
        00000162590bd400"
    for name in v5 v9 ipfix; do
        message=${!name}
        length=$(le16 "$(count "$message")")
        hex "$corpus/seed-file-$name" "$message"
        hex "$corpus/seed-datagrams-$name" "01 $length $message 02 $length $message"
    done
    hex "$corpus/seed-file-all" "$v5 $v9 $ipfix"
}

# Recorded models of other programs; they are a part of the repository.
seed_models() {
    find crates/tripline-forest/tests/imports -type f \( -name '*.onnx' -o -name '*.txt' -o -name '*.json' \
        ! -name '*.answers.json' \) -size -$((max_seed_bytes / 1024 + 1))k -exec cp -u -t "$1" {} +
}

# seed TARGET CORPUS: puts the inputs to begin with into a corpus.
seed() {
    case $1 in
        capture | flows) seed_captures "$2" ;;
        decode) seed_frames "$2" ;;
        zeek) seed_zeek "$2" ;;
        eve) seed_eve "$2" ;;
        netflow) seed_netflow "$2" ;;
        models) seed_models "$2" ;;
    esac
}
