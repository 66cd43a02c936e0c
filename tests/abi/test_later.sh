# tests/abi/test_later.sh RUNNER CC SDK: a plugin that is built with the header
# of a later minor version, made up here, runs on this host unless it says that
# it calls what is new; then it is refused with both numbers.
# SPDX-License-Identifier: Apache-2.0
runner=$1
cc=$2
header=$3/include/pegboard/plugin.h
event=$(dirname "$0")/frozen/event.json
failures=0

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/pegboard"

complain() {
    printf '%s\n' "$*"
    failures=$((failures + 1))
}

now=$(awk '$2 == "PEG_ABI_MINOR" {print $3}' "$header")
later=$((now + 1))
new='
s/PEG_ABI_MINOR [0-9]*$/PEG_ABI_MINOR '$later'/
/^struct peg_host {/,/^}/ s/^};/    int64_t (*newest)(const peg_event *ev);\n};/
/^typedef struct peg_option {/,/^}/ s/^}/    const char *example;\n}/
/^typedef struct peg_plugin {/,/^}/ s/^}/    uint64_t flags[4];\n}/'
sed "$new" "$header" >"$scratch/pegboard/plugin.h"

cat >"$scratch/plugin.c" <<'C'
#include <pegboard/plugin.h>

static const peg_option options[] = {
    {"first", PEG_OPTION_INT, 0, "1", "a first", "1"},
    {"second", PEG_OPTION_INT, 0, "2", "a second", "2"},
};

static int32_t
handle(peg_ctx *ctx, const peg_event *ev)
{
    int64_t first, second;
#if PEG_TARGET_MINOR == PEG_ABI_MINOR
    ev->host->newest(ev);
#endif
    if (peg_option_i64(ctx, "first", &first) != PEG_OK || first != 1 ||
        peg_option_i64(ctx, "second", &second) != PEG_OK || second != 2) {
        return PEG_FAIL;
    }
    peg_reason(ev, "host %u of %u bytes", (unsigned)ev->host->abi_minor,
               (unsigned)ev->host->size);
    return ev->host->size < sizeof(*ev->host) ? PEG_DONE : PEG_FAIL;
}

PEG_PLUGIN(.name = "later", .version = "1.0", PEG_EVENTS("*"),
           PEG_OPTIONS(options), .handle = handle, .flags = {~0ULL, 1, 2, 3});
C

# check TARGET STATUS TEXT
check() {
    "$cc" -std=c11 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden \
        -DPEG_TARGET_MINOR="$1" -I"$scratch" -Wl,-z,defs \
        -o "$scratch/plugin.so" "$scratch/plugin.c" || exit 1
    got=$("$runner" try "$scratch/plugin.so" "$event" 2>&1)
    case "$? $got" in
    "$2 "*"$3"*) ;;
    *) complain "with target $1: $got" ;;
    esac
}
check 0 0 done
check "$now" 0 done
check "$later" 3 "plugin needs pegboard ABI 1.$later, this is 1.$now"

# The header itself promises no more than it has.
printf '#include <pegboard/plugin.h>\n' >"$scratch/beyond.c"
if "$cc" -DPEG_TARGET_MINOR="$later" -I"${header%/pegboard/*}" -fsyntax-only \
    "$scratch/beyond.c" 2>"$scratch/said"; then
    complain 'a target beyond the header compiles'
fi
grep -q 'PEG_TARGET_MINOR is beyond this pegboard/plugin.h' "$scratch/said" ||
    complain "of a target beyond the header: $(cat "$scratch/said")"

exit $((failures > 0))
