#!/usr/bin/env bash
# Every header compiles alone; those of the SDK as C11 and C++17, and they
# include nothing of the daemon.
set -euo pipefail
cd "$(dirname "$0")/../.."
status=0
for header in $(find core -name '*.h'); do
    if ! echo "#include \"${header#core/}\"" |
        cc -std=c17 -D_GNU_SOURCE -Icore -Isdk/include -Wall -Wextra -Werror \
            -fsyntax-only -x c -; then
        echo "does not compile alone: $header"
        status=1
    fi
done
for header in plugin.h money.h testing.h; do
    line="#include <pegboard/$header>"
    echo "$line" | cc -std=c11 -pedantic -Isdk/include -Wall -Wextra -Werror \
        -fsyntax-only -x c - || status=1
    echo "$line" | c++ -std=c++17 -pedantic -Isdk/include -Wall -Wextra -Werror \
        -fsyntax-only -x c++ - || status=1
done
echo "#include <pegboard/plugin.hpp>" | c++ -std=c++17 -pedantic -Isdk/include \
    -Wall -Wextra -Werror -fsyntax-only -x c++ - || status=1
if grep -nE '#include *"' -r sdk/include --include='*.[ch]' --include='*.hpp'; then
    echo "the SDK includes only <...>"
    status=1
fi
# A plugin of several files has headers of its own, beside it.
while IFS=: read -r file _ line; do
    name=$(cut -d'"' -f2 <<<"$line")
    if [[ $name == */* || ! -e $(dirname "$file")/$name ]]; then
        echo "not a header of the plugin's own: $file: $line"
        status=1
    fi
done < <(grep -HnE '#include *"' -r plugins --include='*.[ch]')
exit $status
