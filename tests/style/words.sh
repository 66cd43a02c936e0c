#!/usr/bin/env bash
# Marks of unfinished work, and comments that are not ours in form.
set -euo pipefail
cd "$(dirname "$0")/../.."
status=0
sources=(core sdk plugins tests etc)
if grep -rnE '\b(TODO|FIXME|XXX|HACK)\b' "${sources[@]}" \
    --include='*.[ch]' --include='*.sh' --include='*.py' --include='*.mjs' \
    --exclude-dir=node_modules --exclude=words.sh; then
    echo "unfinished work is marked there"
    status=1
fi
if grep -rnE '(^|[^:"])//' core sdk plugins tests --include='*.[ch]' \
    --include='*.cc' --include='*.hpp' --exclude-dir=node_modules |
    grep -vE '"[^"]*//[^"]*"|https?://|\*.*//'; then
    echo "comments are /* */"
    status=1
fi
for file in $(find core sdk plugins tests -name node_modules -prune -o \
    \( -name '*.[ch]' -o -name '*.cc' -o -name '*.hpp' \) -print); do
    if ! head -40 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
        echo "no licence line at its head: $file"
        status=1
    fi
done
exit $status
