# etc/packages.sh: sourced by etc/quickstart.sh and tests/run.sh: Debian's
# packages, and how to get those that are missing.

build_packages="build-essential cmake pkg-config libcivetweb-dev libssl-dev
libcjson-dev libinih-dev libsqlite3-dev libcurl4-openssl-dev"
test_packages="libcmocka-dev python3 openssl nginx-light clang clang-format libclang-rt-14-dev
strace caddy valgrind libnats-dev nats-server libpq-dev postgresql"

# need PACKAGE...: install the ones that are not there. Prints nothing when
# there is nothing to do.
need() {
    local missing=() package
    for package in "$@"; do
        if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
            grep -q 'ok installed'; then
            missing+=("$package")
        fi
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return 0
    fi
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "error: needed as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "installing: ${missing[*]}" >&2
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq
        -o DPkg::Lock::Timeout=300)
    "${apt[@]}" update >&2
    # Servers among them are for the tests: their services must not start.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod +x "$policy"
        made=1
    fi
    local status=0
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" \
        </dev/null >&2 || status=$?
    if [ -n "$made" ]; then
        "${as_root[@]}" rm -f "$policy"
    fi
    return $status
}

# On a machine where another node is first in PATH, Debian's is not asked for.
need_node() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        need nodejs npm
    fi
}
