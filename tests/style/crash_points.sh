#!/usr/bin/env bash
# The daemon that dies when told to is a program of the tests; what is installed
# knows nothing of it.
# usage: crash_points.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
mark=PEGBOARD_CRASH_AT
status=0
for file in "$build"/bin/*; do
    if grep -qa "$mark" "$file"; then
        echo "has crash points: $file"
        status=1
    fi
done
crashing=$build/tests/bin/pegboard-crashing
if grep -rqE '^ *CRASH_POINT\(' core --include='*.c' &&
    ! grep -qa "$mark" "$crashing"; then
    echo "has no crash points: $crashing (configure anew)"
    status=1
fi
if [ ! -x "$(dirname "$crashing")/pegboard-runner" ]; then
    echo "has no runner beside it: $crashing"
    status=1
fi
exit $status
