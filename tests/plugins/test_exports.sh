# tests/plugins/test_exports.sh RUNNER PLUGIN.so...: a plugin exports its
# descriptor and nothing else, and imports nothing of ours; the runner exports
# nothing, is position-independent, and its relocations are read-only.
# SPDX-License-Identifier: Apache-2.0
runner=$1
shift
failures=0

complain() {
    printf '%s\n' "$*"
    failures=$((failures + 1))
}

# AddressSanitizer marks each exported constant with a symbol of its own.
for plugin in "$@"; do
    exports=$(nm -D --defined-only "$plugin" |
        awk '$3 !~ /^__odr_asan/ {print $3}')
    [ "$exports" = pegboard_plugin_v1 ] ||
        complain "$plugin exports: $exports"
    if nm -D --undefined-only "$plugin" | grep -q 'peg'; then
        complain "$plugin imports something of ours"
    fi
done

# Copies of libc's own data (stdout, stderr) are no exports of ours.
exports=$(nm -D --defined-only "$runner" | grep -v '@' | awk '{print $3}')
case $exports in
*san*) ;; # a sanitizer exports itself
'') ;;
*) complain "the runner exports: $exports" ;;
esac
readelf -h "$runner" | grep -q 'Type: *DYN' || complain 'the runner is no PIE'
readelf -lW "$runner" | grep -q GNU_RELRO || complain 'the runner has no RELRO'
readelf -d "$runner" | grep -q 'BIND_NOW\|NOW' ||
    complain 'the runner binds late'
if readelf -d "$runner" | grep NEEDED |
    grep -qv 'lib\(c\|dl\|m\|gcc_s\|[a-z]*san\)\.so'; then
    complain "the runner needs: $(readelf -d "$runner" | grep NEEDED)"
fi

exit $((failures > 0))
