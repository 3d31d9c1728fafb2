#!/usr/bin/env bash
# Lists code that `widest!` compiles for AVX-512 in name only: functions that hand over to another one, which is compiled for
# every x86-64 alike. No test can see it, since the numbers are the same; it should print nothing.
#
#   cargo build --release && tests/benchmarks/narrow.sh target/release/crucible
#
# Needs nm and objdump.
set -euo pipefail
binary=$1
nm -C -S "$binary" | awk '/V4::vectorize::imp/ {print $1, $2}' | sort -u | while read -r start size; do
    objdump -d -C --no-show-raw-insn --start-address="0x$start" --stop-address=$((16#$start + 16#$size)) "$binary" |
        { grep -E '(call|jmp) .*<' || true; } |
        sed -E 's/.*(call|jmp) *[0-9a-f]+ <(.*)>$/\2/; s/\+0x[0-9a-f]+$//' |
        { grep -E 'crucible_core|call_once|Iterator.*fold|for_each' || true; } |
        sed "s/^/0x$start: /"
done | sort -u
