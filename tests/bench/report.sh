# tests/bench/report.sh: the tables of run.sh, which sources this file. A figure
# is judged by the floor and the goal that stand beside it.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # variables of run.sh

# median COLUMN of standard input
median() {
    awk -v column="$1" '{ print $column }' | sort -n | awk '
        { value[NR] = $1 }
        END {
            if (NR == 0) { exit 1 }
            print NR % 2 ? value[(NR + 1) / 2] \
                         : (value[NR / 2] + value[NR / 2 + 1]) / 2
        }'
}

# ratio TARGET BASE: the median of the rounds' own ratios, since the machine's
# speed moves between rounds more than the ratio does
ratio() {
    paste -d ' ' "$work/$1.flat" "$work/$2.flat" |
        awk '{ print ($6 > 0 ? $1 / $6 : 0) }' | median 1
}

rss_mb() {
    awk '/^VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/${pid[$1]}/status"
}

label() {
    case $1 in
    bare) echo "bare CivetWeb" ;;
    pegboard) echo "pegboard" ;;
    noop) echo "pegboard, no-op plugin" ;;
    express) echo "Express + stripe" ;;
    http) echo "Node http + stripe" ;;
    esac
}

print_targets() {
    local row='%-24s %9s %6s %8s %8s %8s %8s %7s\n' target
    # shellcheck disable=SC2059 # the format is ours
    printf "\n$row" "medians of $rounds rounds" acks/s ratio "p50 ms" \
        "p99 ms" "cpu us" "rss MB" "rest s"
    for target in "${targets[@]}"; do
        # shellcheck disable=SC2059
        printf "$row" "$(label "$target")" \
            "$(printf %.0f "$(median 1 <"$work/$target.flat")")" \
            "$(printf %.2f "$(ratio "$target" bare)")" \
            "$(printf %.2f "$(median 2 <"$work/$target.flat")")" \
            "$(printf %.2f "$(median 3 <"$work/$target.flat")")" \
            "$(printf %.1f "$(median 4 <"$work/$target.flat")")" \
            "$(rss_mb "$target")" \
            "$(printf %.0f "$(median 5 <"$work/$target.flat")")"
    done
    printf '\n%-24s %8s %8s %8s\n' "open loop $open_rate/s" "p50 ms" \
        "p99 ms" "lag p99"
    for target in "${targets[@]}"; do
        printf '%-24s %8.2f %8.2f %8.2f\n' "$(label "$target")" \
            "$(median 1 <"$work/$target.open")" \
            "$(median 2 <"$work/$target.open")" \
            "$(median 3 <"$work/$target.open")"
    done
    printf '\n%-44s %8s %8s %8s  %s\n' figure measured floor goal verdict
}

# judge TEXT least|most FLOOR GOAL MEASURED
judge() {
    local verdict
    verdict=$(awk -v side="$2" -v floor="$3" -v goal="$4" -v is="$5" 'BEGIN {
        sign = side == "least" ? 1 : -1
        if (sign * is >= sign * goal) { print "ok (goal)" }
        else if (sign * is >= sign * floor) { print "ok" }
        else { print "below" }
    }')
    printf '%-44s %8s %8s %8s  %s\n' "$1" "$5" "$3" "$4" "$verdict"
    [ "$verdict" != below ] || below=$((below + 1))
}

has() {
    [[ " ${targets[*]} " == *" $1 "* ]]
}

two_digits() {
    printf %.2f "$1"
}

print_figures() {
    judge "acks/s against bare, no plugin" least 0.25 0.45 \
        "$(two_digits "$(ratio pegboard bare)")"
    if has noop; then
        judge "acks/s against bare, no-op plugin" least 0.15 0.30 \
            "$(two_digits "$(ratio noop bare)")"
    fi
    if has express; then
        judge "acks/s against Express + stripe" least 3 6 \
            "$(two_digits "$(ratio pegboard express)")"
        judge "acks/s against Node http + stripe" least 1.0 2.0 \
            "$(two_digits "$(ratio pegboard http)")"
    fi
    judge "p99 ms, $connections connections flat out" most 20 8 \
        "$(two_digits "$(median 3 <"$work/pegboard.flat")")"
    judge "p99 ms, open loop $open_rate/s" most 8 4 \
        "$(two_digits "$(median 2 <"$work/pegboard.open")")"
    if [ -n "$flushes" ]; then
        judge "flushes per acknowledged event" most 0.2 0.05 "$flushes"
    fi
    judge "RSS MB of the daemon, flat out" most 64 32 "$(rss_mb pegboard)"
    local reason
    for reason in "${skipped[@]}"; do
        echo "skipped: $reason"
    done
}

cache() {
    sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt" 2>/dev/null || true
}

print_head() {
    echo "$(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo |
        head -n 1), Linux $(uname -r), $(stat -f -c %T "$work") disk," \
        "$(date -u +%Y-%m-%dT%H:%MZ)"
    echo "$rounds rounds of $seconds s, $connections connections," \
        "4096-byte events, one run of each target a round"
    if [ "$(cache CMAKE_BUILD_TYPE)" != Release ] ||
        [ -n "$(cache PEGBOARD_SANITIZE)" ]; then
        echo "WARNING: not a Release build, or with sanitizers"
    fi
}
