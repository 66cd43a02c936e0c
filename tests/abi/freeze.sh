#!/usr/bin/env bash
# tests/abi/freeze.sh MAJOR.MINOR: build the plugin that stands, from then on,
# for all that were built with that ABI. It is done once for each, by whoever
# raises the number; README.md tells how. SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")"
version=${1-}
include=frozen/include-$version
header=../../sdk/include/pegboard/plugin.h
now=$(awk '/^#define PEG_ABI_M/ {printf "%s%s", dot, $3; dot = "."}' "$header")
if [ -z "$version" ] || { [ ! -e "$include" ] && [ "$version" != "$now" ]; }; then
    echo "usage: tests/abi/freeze.sh $now (which the header says), or an" \
        "older version for another machine" >&2
    exit 2
fi

cc=${CC:-cc}
machine=$("$cc" -dumpmachine)
binary=plugin-$version-${machine%%-*}.so
source=plugin-$version.c
if [ -e "frozen/$binary" ]; then
    echo "frozen/$binary is there, and stays: built anew it would prove" \
        "nothing" >&2
    exit 1
fi
if [ ! -e "frozen/$source" ]; then
    echo "write frozen/$source first: it calls what $version added" >&2
    exit 1
fi

cd frozen
sha256sum --check --quiet SHA256SUMS
include=include-$version
if [ ! -e "$include" ]; then
    mkdir -p "$include/pegboard"
    cp "../$header" "$include/pegboard/plugin.h"
fi
"$cc" -std=c11 -Os -Wall -Wextra -Werror -fPIC -fvisibility=hidden \
    -fno-stack-protector -fno-asynchronous-unwind-tables -shared -s \
    -I"$include" -Wl,-z,defs,-z,now,-z,noseparate-code,--build-id=none \
    -o "$binary" "$source"
for file in "$include/pegboard/plugin.h" "$source" "$binary"; do
    grep -q " $file\$" SHA256SUMS || sha256sum "$file" >>SHA256SUMS
done
echo "commit tests/abi/frozen: $binary has $(wc -c <"$binary") bytes"
