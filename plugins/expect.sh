# plugins/expect.sh: for the test.sh of each plugin, which includes it after
# setting `runner` and `plugin`.
# SPDX-License-Identifier: Apache-2.0
event=event.json
failures=0

# expect STATUS LINES [SED [OPTION]...]: run the plugin on the event, changed by
# that sed script; its exit status and all that it says must be these.
expect() {
    want_status=$1
    want=$2
    script=${3-}
    shift $(($# < 3 ? $# : 3))
    got=$(sed "$script" "$event" | "$runner" try "$plugin" - "$@" 2>&1)
    status=$?
    if [ "$status" != "$want_status" ] || [ "$got" != "$want" ]; then
        printf 'expected status %s:\n%s\ngot status %s:\n%s\n\n' \
            "$want_status" "$want" "$status" "$got"
        failures=$((failures + 1))
    fi
}
