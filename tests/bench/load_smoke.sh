#!/bin/sh
# tests/bench/load_smoke.sh LOAD BARE: the generator and the yardstick agree:
# a second each of both loops and of new connections without a failed request.
# SPDX-License-Identifier: Apache-2.0
set -eu

load=$1
bare=$2
dir=$(mktemp -d)
server=
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$dir"
}
trap clean_up EXIT

"$bare" 127.0.0.1:0 >"$dir/port" &
server=$!
tries=0
until [ -s "$dir/port" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ]; then
        echo "bare did not start" >&2
        exit 1
    fi
    sleep 0.05
done
url=http://127.0.0.1:$(cat "$dir/port")/webhook

"$load" --url "$url" --secret whsec_smoke --seconds 1 --connections 16
"$load" --url "$url" --secret whsec_smoke --seconds 1 --rate 500
"$load" --url "$url" --unsigned --seconds 1 --events 2000 --new-connection
