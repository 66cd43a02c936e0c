# tests/plugins/test_readme.sh CC ROOT RUNNER: the plugin in sdk/README.md builds
# with the line beside it, does what is said below it, and is short.
# SPDX-License-Identifier: Apache-2.0
cc=$1
root=$2
runner=$3
readme=$root/sdk/README.md

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1

# block LANGUAGE: the first such block of the README.
block() {
    awk -v open="\`\`\`$1" '$0 == "```" && inside { exit }
        inside { print }
        $0 == open { inside = 1 }' "$readme"
}

block c >hello.c
lines=$(wc -l <hello.c)
if [ "$lines" -lt 10 ] || [ "$lines" -gt 24 ]; then
    echo "the smallest plugin has $lines lines"
    exit 1
fi

ln -s "$root/sdk" sdk
build=$(block sh | grep '^gcc ')
eval "$cc ${build#gcc } -Werror" || exit 1

got=$("$runner" try hello.so "$root/plugins/receipts/event.json" 2>&1)
want=$(block text)
[ "$got" = "$want" ] && exit 0
printf 'README: %s\ngot: %s\n' "$want" "$got"
exit 1
