# tests/plugins/test_readme.sh CC ROOT RUNNER: the plugins in sdk/README.md build
# with the lines beside them and do what is said below them; the first is short.
# SPDX-License-Identifier: Apache-2.0
cc=$1
root=$2
runner=$3
readme=$root/sdk/README.md

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
ln -s "$root/sdk" sdk
ln -s "$root/plugins" plugins

# block LANGUAGE N: the Nth such block of the README.
block() {
    awk -v open="\`\`\`$1" -v n="$2" '$0 == "```" && inside { exit }
        inside { print }
        $0 == open && ++seen == n { inside = 1 }' "$readme"
}

# check NAME N: the Nth plugin, its two commands, and what they say.
check() {
    block c "$2" >"$1.c"
    build=$(block sh "$2" | grep '^gcc ')
    run=$(block sh "$2" | grep '^pegboard-runner ')
    eval "$cc ${build#gcc } -Wextra -Werror" || exit 1
    got=$(eval "$runner ${run#pegboard-runner }" 2>&1)
    want=$(block text "$2")
    if [ -z "$want" ] || [ "$got" != "$want" ]; then
        printf 'README: %s\ngot: %s\n' "$want" "$got"
        exit 1
    fi
}

check hello 1
check payments 2

lines=$(wc -l <hello.c)
if [ "$lines" -lt 10 ] || [ "$lines" -gt 24 ]; then
    echo "the smallest plugin has $lines lines"
    exit 1
fi
