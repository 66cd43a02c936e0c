#!/usr/bin/env bash
# Every C and C++ file stands as clang-format 14 with .clang-format would write
# it.
set -euo pipefail
cd "$(dirname "$0")/../.."
format=$(command -v clang-format-14 || command -v clang-format || true)
if [ -z "$format" ] || ! "$format" --version | grep -q 'version 14\.'; then
    echo "skipped: clang-format 14 is not installed"
    exit 77
fi
find core sdk plugins tests -name node_modules -prune -o \
    \( -name '*.c' -o -name '*.h' -o -name '*.cc' -o -name '*.hpp' \) -print0 |
    xargs -0 "$format" --dry-run -Werror
