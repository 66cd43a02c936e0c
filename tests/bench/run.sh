#!/bin/bash
# tests/bench/run.sh: measures `pegboard serve` beside a bare CivetWeb server,
# and beside Node receivers if they are installed; README.md says how to read
# it. Status 0: every measured floor holds; 1: one does not; 2: could not run.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
export LC_ALL=C
umask 077 # the daemon refuses secrets that others can read

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=tests/bench/report.sh
. "$here/report.sh"

build=$root/build
dir=
rounds=5
seconds=4
connections=64
install_peers=no
open_rate=3000
settle_max=60 # seconds for a backlog to empty after a round
start_max=20  # seconds for a server to be ready
stop_max=30   # seconds for a server to end; above the daemon's drain

usage() {
    cat <<END
usage: tests/bench/run.sh [options]
  --build DIR        build folder (default: build/); built if it is not
  --dir DIR          where the daemon writes; a real disk (default: the build
                     folder); some gigabytes, removed at the end
  --rounds N         default $rounds
  --seconds S        of each measurement, default $seconds
  --connections N    default $connections; the floors are for 64
  --quick            3 rounds of 2 seconds
  --peers            install the Node receivers first (npm ci)
END
}

die() {
    echo "run.sh: $*" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --build | --dir | --rounds | --seconds | --connections)
        [ $# -gt 1 ] || die "$1 needs a value"
        option=${1#--}
        printf -v "$option" %s "$2"
        shift 2
        ;;
    --quick) rounds=3 seconds=2 && shift ;;
    --peers) install_peers=yes && shift ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
for option in rounds seconds connections; do
    [[ ${!option} =~ ^[1-9][0-9]{0,3}$ ]] || die "--$option: not a number"
done

# ---- What runs: targets and their processes --------------------------------

# What report.sh reads and counts.
failed_requests=0
below=0    # figures that miss their floor
flushes=   # per acknowledged event; empty: not measured
skipped=() # figures that cannot be measured here, with the reason
targets=() # in the order of a round; "bare" is first
declare -A pid url

# Ends a process that we started, and takes its status.
stop() {
    local tries=0
    kill -TERM "$1" 2>/dev/null || true
    while kill -0 "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ $tries -gt $((stop_max * 10)) ]; then
            kill -KILL "$1" 2>/dev/null || true
        fi
        sleep 0.1
    done
    wait "$1" 2>/dev/null || true
}

work=
tracer=
clean_up() {
    local status=$?
    trap - EXIT INT TERM
    for target in "${!pid[@]}"; do
        stop "${pid[$target]}"
    done
    [ -z "$tracer" ] || end_traced
    [ -z "$work" ] || rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The process and all below it.
tree() {
    echo "$1"
    local child
    # shellcheck disable=SC2013 # words of one line
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        tree "$child"
    done
}

# Ends the daemon below strace; killed itself, strace would leave it running.
end_traced() {
    local child
    for child in $(tree "$tracer" | sed -n 2p); do
        stop "$child"
    done
    stop "$tracer"
    tracer=
}

# Clock ticks that the tree has used, children that ended included.
cpu_ticks() {
    local each
    for each in $(tree "$1"); do
        # Behind the name: utime, stime, cutime, cstime are fields 12 to 15.
        sed 's/.*) //' /proc/"$each"/stat 2>/dev/null || true
    done | awk '{ sum += $12 + $13 + $14 + $15 } END { print sum + 0 }'
}

# Waits until the tree of a target is at rest, so that what it still does for
# one round does not slow down the next target. Prints the seconds it took.
settle() {
    local before after since=$SECONDS
    before=$(cpu_ticks "${pid[$1]}")
    while [ $((SECONDS - since)) -lt "$settle_max" ]; do
        sleep 0.5
        after=$(cpu_ticks "${pid[$1]}")
        if [ $((after - before)) -le 2 ]; then
            echo $((SECONDS - since))
            return
        fi
        before=$after
    done
    echo "run.sh: $1 was still busy after $settle_max s" >&2
    echo "$settle_max"
}

# True if GET /readyz on the port is answered 200.
is_ready() {
    local line
    line=$({
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf 'GET /readyz HTTP/1.1\r\nHost: bench\r\n' >&3
        printf 'Connection: close\r\n\r\n' >&3
        read -r -t 2 line <&3
        echo "$line"
    } 2>/dev/null) || return 1
    [[ $line == "HTTP/1.1 200"* ]]
}

# await NAME PID LOG COMMAND...: until the command is true, bounded.
await() {
    local name=$1 process=$2 log=$3 since=$SECONDS
    shift 3
    until "$@"; do
        if ! kill -0 "$process" 2>/dev/null ||
            [ $((SECONDS - since)) -ge "$start_max" ]; then
            tail -n 20 "$log" >&2 || true
            die "$name did not start"
        fi
        sleep 0.05
    done
}

free_port() {
    local port tries
    for tries in {1..50}; do
        port=$((20000 + RANDOM % 12000)) # below the ephemeral ports
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    die "no free port after $tries tries"
}

# start_printing NAME COMMAND...: a server whose first line tells its port.
start_printing() {
    local name=$1 log=$work/$1.log
    shift
    STRIPE_WEBHOOK_SECRET=$secret NODE_ENV=production \
        "$@" >"$work/$name.port" 2>"$log" &
    pid[$name]=$!
    targets+=("$name")
    await "$name" "${pid[$name]}" "$log" test -s "$work/$name.port"
    url[$name]=http://127.0.0.1:$(head -n 1 "$work/$name.port")/webhook
}

# write_config NAME PORT [PLUGIN.so]
write_config() {
    mkdir -p "$work/$1/plugins"
    cat >"$work/$1/pegboard.ini" <<END
[server]
listen = 127.0.0.1:$2
threads = $((connections > 96 ? connections + 32 : 128))
state_dir = $work/$1/state
[inbox]
store = sqlite:inbox.db
[log]
level = warn
[plugins]
dir = $work/$1/plugins
autoload = no
[endpoint main]
path = /webhook
secrets = file:$work/secret
END
    if [ $# -gt 2 ]; then
        cat >>"$work/$1/pegboard.ini" <<END
[plugin noop]
path = $3
concurrency = 2
END
    fi
}

# start_pegboard NAME [PLUGIN.so]
start_pegboard() {
    local port log=$work/$1.log
    port=$(free_port)
    write_config "$1" "$port" "${@:2}"
    "$daemon" serve -c "$work/$1/pegboard.ini" >"$log" 2>&1 &
    pid[$1]=$!
    targets+=("$1")
    await "$1" "${pid[$1]}" "$log" is_ready "$port"
    url[$1]=http://127.0.0.1:$port/webhook
}

# ---- Measuring -------------------------------------------------------------

# field NAME: a number out of load's line of JSON on standard input
field() {
    sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"
}

run_load() {
    local target=$1
    shift
    # Its status tells of failed requests; the JSON does too.
    "$load" --url "${url[$target]}" --secret-file "$work/secret" \
        --connections "$connections" --json "$@" || true
}

note_failures() {
    local failed
    failed=$(field failed <<<"$2")
    if [ "${failed:-1}" != 0 ]; then
        failed_requests=$((failed_requests + ${failed:-1}))
        echo "run.sh: $1: failed requests: ${2:-load did not run}" >&2
    fi
    if ! kill -0 "${pid[$1]}" 2>/dev/null; then
        tail -n 20 "$work/$1.log" >&2 || true
        die "$1 ended by itself"
    fi
}

# A target that takes forged events would be measured without its work.
refuses_forged() {
    local json
    json=$("$load" --url "${url[$1]}" --unsigned --events 8 --connections 1 \
        --json || true)
    [[ $json == *'"errors":{"400":8}'* ]] ||
        die "$1 does not answer 400 to forged events: $json"
}

# One closed-loop run; appends "acks/s p50 p99 cpu_us settle_s".
measure_flat_out() {
    local target=$1 before after json rest_s
    before=$(cpu_ticks "${pid[$target]}")
    json=$(run_load "$target" --seconds "$seconds")
    rest_s=$(settle "$target")
    after=$(cpu_ticks "${pid[$target]}")
    note_failures "$target" "$json"
    awk -v acks="$(field acks_per_s <<<"$json")" \
        -v p50="$(field p50_ms <<<"$json")" \
        -v p99="$(field p99_ms <<<"$json")" \
        -v ok="$(field ok <<<"$json")" -v rest="$rest_s" \
        -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" \
        'BEGIN { cpu = ok > 0 ? ticks / hz * 1e6 / ok : 0
                 print acks + 0, p50 + 0, p99 + 0, cpu, rest }' \
        >>"$work/$target.flat"
}

# One open-loop run; appends "p50 p99 lag_p99".
measure_open() {
    local target=$1 json
    json=$(run_load "$target" --seconds "$seconds" --rate "$open_rate")
    settle "$target" >/dev/null
    note_failures "$target" "$json"
    echo "$(field p50_ms <<<"$json") $(field p99_ms <<<"$json")" \
        "$(field lag_p99_ms <<<"$json")" >>"$work/$target.open"
}

# Flushes per acknowledged event, of a daemon of its own under strace. Sets
# `flushes`, or adds to `skipped` why not.
measure_flushes() {
    local port json counts=$work/flushes.txt log=$work/strace.log
    # With the filter only these calls stop; others run at full speed.
    local trace=(strace -f --seccomp-bpf -c -e "trace=fdatasync,fsync"
        -o "$counts")
    if ! "${trace[@]}" true 2>/dev/null; then
        skipped+=("flushes per event: strace is missing or may not trace")
        return
    fi
    port=$(free_port)
    write_config traced "$port"
    "${trace[@]}" "$daemon" serve -c "$work/traced/pegboard.ini" >"$log" 2>&1 &
    tracer=$!
    await traced "$tracer" "$log" is_ready "$port"
    url[traced]=http://127.0.0.1:$port/webhook
    json=$(run_load traced --seconds 2)
    end_traced # and strace writes its table
    flushes=$(awk -v ok="$(field ok <<<"$json")" '
        $NF == "fdatasync" || $NF == "fsync" { calls += $4 }
        END { if (ok > 0 && calls > 0) { printf "%.4f\n", calls / ok } }' \
        "$counts")
    [ -n "$flushes" ] || skipped+=("flushes per event: none was counted")
}

# ---- Main ------------------------------------------------------------------

load=$build/tests/bench/load
bare=$build/tests/bench/bare
daemon=$build/bin/pegboard
if ! [ -x "$load" ] || ! [ -x "$bare" ] || ! [ -x "$daemon" ]; then
    [ -e "$build/CMakeCache.txt" ] ||
        cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release >&2
    cmake --build "$build" -j "$(nproc)" >&2 || die "the build failed"
fi
for program in "$load" "$bare" "$daemon"; do
    [ -x "$program" ] || die "$program is missing"
done
build=$(cd "$build" && pwd)
noop=$build/tests/plugins/noop.so

work=$(mktemp -d "${dir:-$build/tests/bench}/run.XXXXXX")
work=$(cd "$work" && pwd)
case $(stat -f -c %T "$work") in
tmpfs | ramfs) die "$work is not on a disk; choose another with --dir" ;;
esac
secret=whsec_$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "$secret" >"$work/secret"
print_head

start_printing bare "$bare" 127.0.0.1:0
start_pegboard pegboard
if [ -e "$noop" ]; then
    start_pegboard noop "$noop"
else
    skipped+=("no-op plugin: $noop is not built")
fi

if [ $install_peers = yes ] && command -v npm >/dev/null; then
    (cd "$here/peers" && umask 022 && npm ci --no-audit --no-fund >&2) ||
        echo "run.sh: npm ci failed" >&2
fi
if ! command -v node >/dev/null; then
    skipped+=("Express and Node http: no node")
elif ! [ -d "$here/peers/node_modules/stripe" ]; then
    skipped+=("Express and Node http: not installed, see --peers")
else
    start_printing express node "$here/peers/express.js"
    start_printing http node "$here/peers/http.js"
fi

# A first second for each, not counted: caches, JIT, first pages.
for target in "${targets[@]}"; do
    [ "$target" = bare ] || refuses_forged "$target"
    run_load "$target" --seconds 1 >/dev/null
    settle "$target" >/dev/null
done
if has noop && [ "$(tree "${pid[noop]}" | wc -l)" -lt 2 ]; then
    die "the daemon with the no-op plugin runs no runner"
fi

for ((round = 1; round <= rounds; round++)); do
    [ ! -t 2 ] || printf '\rround %d of %d ' "$round" "$rounds" >&2
    for target in "${targets[@]}"; do
        measure_flat_out "$target"
    done
    for target in "${targets[@]}"; do
        measure_open "$target"
    done
done
[ ! -t 2 ] || printf '\r%20s\r' '' >&2

measure_flushes
print_targets
print_figures
if [ $failed_requests -gt 0 ]; then
    echo "failed requests: $failed_requests; the figures do not count"
    exit 1
fi
[ $below -eq 0 ]
