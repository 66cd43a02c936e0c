#!/bin/sh
# tests/peers/setup.sh: install Stripe's programs, at the versions of the lock
# file; with a test's name, run that test with them.
#
#   setup.sh [FOLDER [TEST]]   FOLDER: of node_modules; default: this one
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here}

for program in node npm python3; do
    if ! command -v $program >/dev/null; then
        echo "skipped: no $program"
        exit 77
    fi
done

mkdir -p "$folder"
for file in package.json package-lock.json .npmrc; do
    if ! cmp -s "$here/$file" "$folder/$file"; then
        cp "$here/$file" "$folder/$file"
    fi
done

# npm is asked only when the lock file is another one than last time. Scripts
# of packages are not run: the programs come inside the packages.
stamp=$folder/node_modules/.pegboard-lock
if ! cmp -s "$folder/package-lock.json" "$stamp"; then
    (cd "$folder" && umask 022 && npm ci --ignore-scripts --no-audit --no-fund)
    cp "$folder/package-lock.json" "$stamp"
fi

if [ $# -eq 2 ]; then
    PEGBOARD_PEERS=$folder exec node "$here/$2"
fi
