#!/usr/bin/env bash
# etc/quickstart.sh: from a fresh Debian 12 to a handled event.
#
# Installs what the build needs (apt-get; as root or with sudo), builds into
# build/, and runs `pegboard dev` with the shipped plugins, which sends itself
# one signed event. With --once it ends when that event was handled.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1-}" in
"" | --once) ;;
*)
    echo "usage: etc/quickstart.sh [--once]" >&2
    exit 2
    ;;
esac

. etc/packages.sh
# shellcheck disable=SC2086,SC2154 # a list of words, from packages.sh
need $build_packages

echo "building into build/ ..." >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DPEGBOARD_TESTS=OFF &&
    cmake --build build -j "$(nproc)"; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
rm -f "$log"
trap - EXIT

exec build/bin/pegboard dev --trigger payment_intent.succeeded "$@"
