# tests/plugins/test_try.sh RUNNER FIXTURES EVENT: what try says and how it ends,
# for each verdict, each kind of option, and each wrong command line.
# SPDX-License-Identifier: Apache-2.0
runner=$1
fixtures=$2
event=$3
failures=0

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# check STATUS OUTPUT ARGUMENT...: `try` with those arguments; both streams.
check() {
    want_status=$1
    want=$2
    shift 2
    got=$("$runner" try "$@" 2>&1)
    status=$?
    # Times are never the same.
    got=$(printf '%s' "$got" | sed -E 's/[0-9]+ us\b/N us/g; s/"took_us":[0-9]+/"took_us":N/')
    if [ "$status" != "$want_status" ] || [ "$got" != "$want" ]; then
        printf 'try %s\nexpected %s: %s\ngot %s: %s\n\n' "$*" "$want_status" \
            "$want" "$status" "$got"
        failures=$((failures + 1))
    fi
}

# says STATUS TEXT ARGUMENT...: the text is somewhere in what it says.
says() {
    want_status=$1
    want=$2
    shift 2
    got=$("$runner" try "$@" 2>&1)
    status=$?
    case "$status $got" in
    "$want_status "*"$want"*) ;;
    *)
        printf 'try %s\nexpected %s: ...%s...\ngot %s: %s\n\n' "$*" \
            "$want_status" "$want" "$status" "$got"
        failures=$((failures + 1))
        ;;
    esac
}

# Every getter, with every status, checked by the plugin itself.
check 0 done "$fixtures/getters.so" "$event" --option given=7
check 0 'done
done' "$fixtures/getters.so" "$event" --option given=7 --repeat 2
check 0 done "$fixtures/cjson.so" "$event"

# Verdicts.
check 0 done "$fixtures/noop.so" "$event"
check 1 'retry in 5000 ms: the backend is down' "$fixtures/retry.so" "$event"
check 1 'retry in 250 ms: the backend is down' "$fixtures/retry.so" "$event" \
    --option delay=250ms
check 1 'fail: no such order' "$fixtures/fail.so" "$event"
check 1 'retry: handle() returned 99, which is no verdict' \
    "$fixtures/verdict99.so" "$event"

# What a plugin may say is bounded, and cut between characters.
long=$(printf '%0999d' 0 | tr 0 x)
check 1 "debug talkative: debug
error talkative: 
info talkative: ${long}é$(printf '%023d' 0 | tr 0 x)
retry in 700 ms: $long" "$fixtures/talkative.so" "$event"

# Where the event comes from.
check 0 done "$fixtures/noop.so" - <"$event"
says 4 'No such file' "$fixtures/noop.so" "$scratch/missing.json"
printf '{"id":"evt_1"' >"$scratch/cut.json"
says 4 'not JSON' "$fixtures/noop.so" "$scratch/cut.json"
printf '{"id":"evt_1","type":7}' >"$scratch/odd.json"
says 4 'not a Stripe event' "$fixtures/noop.so" "$scratch/odd.json"
says 4 'Is a directory' "$fixtures/noop.so" "$scratch"

# Facts of a thin event, by way of the ledger.
cat >"$scratch/thin.json" <<'JSON'
{"id": "evt_thin", "object": "v2.core.event", "type": "v1.balance.available",
 "created": "2026-01-01T00:00:00.000Z", "livemode": false,
 "context": "acct_1", "related_object": {"id": "obj_1", "type": "balance"}}
JSON
(cd "$scratch" && check 0 done "$fixtures/ledger.so" thin.json \
    --option file=ledger.txt && exit "$failures") ||
    failures=$((failures + 1))
grep -q '^evt_thin v1.balance.available 1 [0-9 ]*$' "$scratch/ledger.txt" || {
    echo 'the ledger does not have the event'
    failures=$((failures + 1))
}

# Its twin, and the change that both tell of: the plugin asks what the event says.
cat >"$scratch/twin.json" <<'JSON'
{"id": "evt_thin", "object": "v2.core.event", "type": "v1.invoice.paid",
 "created": "2026-01-01T00:00:00.000Z", "livemode": false,
 "snapshot_event": "evt_1Q", "related_object": {"id": "in_1Q"},
 "data": {"object": {"ops": [["str", 13], ["str", 14], ["int", 15]]}}}
JSON
check 0 'info keys: 0 v1.invoice.paid:in_1Q
info keys: 0 evt_1Q
info keys: 0
done' "$fixtures/keys.so" "$scratch/twin.json"

# The store: in memory, from one call to the next, and shown.
cat >"$scratch/count.json" <<'JSON'
{"id": "evt_1", "object": "event", "type": "invoice.paid",
 "data": {"object": {"id": "in_1", "metadata": {}}}}
JSON
(cd "$scratch" && check 0 'store: put count:in_1 (1 bytes)
done
store: put count:in_1 (1 bytes)
done
store: put count:in_1 (1 bytes)
done' "$fixtures/store.so" count.json --repeat 3 --option file=seen.txt &&
    exit "$failures") || failures=$((failures + 1))
[ "$(cat "$scratch/seen.txt")" = 'evt_1 in_1 1 0
evt_1 in_1 2 1
evt_1 in_1 3 2' ] || {
    echo 'a call did not see what the one before it wrote'
    failures=$((failures + 1))
}
sed 's/{}/{"op": "retry", "times": "1"}/' "$scratch/count.json" \
    >"$scratch/again.json"
check 1 'store: not done, so thrown away: 1
retry in 0 ms
store: put count:in_1 (1 bytes)
done' "$fixtures/store.so" "$scratch/again.json" --repeat 2
cat >"$scratch/ops.json" <<'JSON'
{"id": "evt_1", "object": "event", "type": "invoice.paid",
 "data": {"object": {"ops": [["put", "a", "one"], ["get", "a"], ["put", "a", "two"],
  ["delete", "b"], ["get", "c"]]}}}
JSON
check 0 'info keys: 0
info keys: 0 one
info keys: 0
info keys: 0
info keys: 1
store: put a (3 bytes)
store: delete b
done' "$fixtures/keys.so" "$scratch/ops.json"

# Options.
says 3 'option file is required' "$fixtures/ledger.so" "$event"
says 3 'has no option "colour"' "$fixtures/ledger.so" "$event" \
    --option colour=red
says 3 'sleep_ms         time that each event takes (a whole number)' \
    "$fixtures/ledger.so" "$event" --option colour=red
says 3 'it declares none' "$fixtures/noop.so" "$event" --option colour=red
says 3 '"soon" is not a duration' "$fixtures/retry.so" "$event" \
    --option delay=soon
says 3 'given twice' "$fixtures/retry.so" "$event" --option delay=1s \
    --option delay=2s
says 3 'write key=value' "$fixtures/retry.so" "$event" --option delay

check 3 'pegboard-runner: retry has no option "dealy", did you mean "delay"?' \
    "$fixtures/retry.so" "$event" --option dealy=1s
# All mistakes at once.
check 3 'pegboard-runner: retry has no option "dealy", did you mean "delay"?
pegboard-runner: option delay: "soon" is not a duration like 250ms, 30s, 5m, 4h or 35d' \
    "$fixtures/retry.so" "$event" --option dealy=1s --option delay=soon

# Secrets are read as the daemon reads them; others are passed on.
printf 'tok_1\n' >"$scratch/token"
chmod 600 "$scratch/token"
cat >"$scratch/secret.json" <<'JSON'
{"id": "evt_1", "type": "invoice.paid"}
JSON
(cd "$scratch" &&
    check 0 'info secret: tok_1 plain
done' "$fixtures/secret.so" secret.json -o token=file:token -o word=plain &&
    TOKEN=tok_2 && export TOKEN &&
    check 0 'pegboard-runner: warning: option word is no PEG_OPTION_SECRET, so the plugin gets "env:TOKEN" as it stands there
info secret: tok_2 env:TOKEN
done' "$fixtures/secret.so" secret.json -o token=env:TOKEN -o word=env:TOKEN &&
    chmod 644 token &&
    check 3 'pegboard-runner: option token: file:token is open to every user (mode 0644); run chmod o= on it' \
        "$fixtures/secret.so" secret.json -o token=file:token &&
    exit "$failures") || failures=$((failures + 1))

# What is expected.
check 0 'retry in 5000 ms: the backend is down' "$fixtures/retry.so" "$event" \
    --expect retry
check 0 'retry in 5000 ms: the backend is down' "$fixtures/retry.so" "$event" \
    --expect retry,5s
check 1 'retry in 5000 ms: the backend is down
expected retry in 6000 ms, got: retry in 5000 ms: the backend is down' \
    "$fixtures/retry.so" "$event" --expect retry,6s
check 0 'fail: no such order' "$fixtures/fail.so" "$event" --expect fail
check 1 'done
expected skip, got: done' "$fixtures/noop.so" "$event" --expect skip
check 1 'retry: handle() returned 99, which is no verdict
expected retry, got: retry: handle() returned 99, which is no verdict' \
    "$fixtures/verdict99.so" "$event" --expect retry
for wrong in dnoe done,5s retry, retry,5 retry,x ''; do
    says 2 'it is one of done, skip, retry, fail' "$fixtures/noop.so" "$event" \
        --expect "$wrong"
done

# For programs, and for people.
check 1 '{"verdict":"retry","returned":99,"took_us":N}' --json \
    "$fixtures/verdict99.so" "$event"
check 1 '{"verdict":"retry","delay_ms":5000,"reason":"the backend is down","took_us":N}' \
    --json "$fixtures/retry.so" "$event"
check 0 'done (N us)' -v "$fixtures/noop.so" "$event"
check 0 'done (N us)
done (N us)
2 calls: fastest N us, average N us, slowest N us' -v "$fixtures/noop.so" \
    "$event" --repeat 2
says 0 'note: receipts declares no charge.updated: a daemon would not give' \
    -v "$fixtures/../../plugins/receipts.so" "$event"

# Usage.
says 2 'usage:' "$fixtures/noop.so"
says 2 'usage:' "$fixtures/noop.so" "$event" more
says 2 'usage:' "$fixtures/noop.so" "$event" --colour
says 2 '--repeat must be from 1' "$fixtures/noop.so" "$event" --repeat 0
says 2 '--timeout must be from 1' "$fixtures/noop.so" "$event" --timeout x
says 0 'usage:' --help

# A plugin named without a folder is looked for here, not in the system.
(cd "$fixtures" && "$runner" try noop.so "$event" >/dev/null) || {
    echo 'noop.so in the working directory is not found'
    failures=$((failures + 1))
}

exit $((failures > 0))
