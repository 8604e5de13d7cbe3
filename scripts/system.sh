# Shared by ./run and ./test: says what is missing on this machine, and installs it from Debian.
# shellcheck shell=sh

say() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# need_tool COMMAND HINT: a tool that is not Debian's business here.
need_tool() {
    command -v "$1" >/dev/null 2>&1 || fail "$1 is not installed: $2"
}

# need_package COMMAND PACKAGE REASON: installs a package when its command is missing.
need_package() {
    command -v "$1" >/dev/null 2>&1 && return 0
    command -v apt-get >/dev/null 2>&1 ||
        fail "$1 is missing ($3) and this is no Debian system: install it and try again"
    say "installing the Debian package $2: $3"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    else
        command -v sudo >/dev/null 2>&1 || fail "installing $2 needs root or sudo"
        as_root=sudo
    fi
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$2"
}

need_build_tools() {
    need_tool cargo "Rust comes from https://rustup.rs"
    need_tool node "the dashboard is built with Node 20 or later"
    need_tool npm "the dashboard's packages come with npm"
    need_package cc gcc "SQLite and Zstandard are compiled from C"
    # A compiler alone has no headers of the C library.
    [ -e /usr/include/stdio.h ] || [ "$(uname)" != Linux ] ||
        need_package no-such-command libc6-dev "the headers of the C library"
    # Live capture goes through libpcap; the library itself comes with its headers.
    [ -e /usr/include/pcap.h ] || [ "$(uname)" != Linux ] ||
        need_package no-such-command libpcap-dev "packets of live interfaces are read by libpcap"
    # The Kafka client (librdkafka) is built from its sources and linked in; OpenSSL is the system's,
    # so that its fixes arrive without a build of Tripline.
    need_package make make "the Kafka client is compiled from C"
    need_package pkg-config pkg-config "the Kafka client finds OpenSSL with it"
    [ -e /usr/include/openssl/ssl.h ] || [ "$(uname)" != Linux ] ||
        need_package no-such-command libssl-dev "TLS and SCRAM of the Kafka client are OpenSSL's"
}

# A broker for tests. Its jars come with Maven into the cache for tools; TRIPLINE_KAFKA_HOME names
# an unpacked Kafka instead.
need_kafka() {
    need_package java openjdk-17-jre-headless "tests start a real Kafka broker, which runs on Java"
    [ -n "${TRIPLINE_KAFKA_HOME:-}" ] ||
        need_package mvn maven "the broker's jars are fetched with Maven"
}

# PostgreSQL for tests: its programs are outside of the search path. TRIPLINE_TEST_POSTGRES names a
# server that is there already; psql is needed for it, too.
need_postgres() {
    need_package psql postgresql-client "tests make a database each in PostgreSQL"
    [ -n "${TRIPLINE_TEST_POSTGRES:-}" ] || [ -n "${TRIPLINE_POSTGRES_BIN:-}" ] ||
        ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
        need_package initdb postgresql "the shared store is tested on a real PostgreSQL server"
}
