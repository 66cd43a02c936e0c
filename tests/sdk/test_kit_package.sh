# tests/sdk/test_kit_package.sh ROOT BUILD LIBDIR: the test of sdk/README.md in
# another project, with CMake, from this build tree and from an installation,
# with GCC and Clang; and once with pkg-config, where it was installed.
# SPDX-License-Identifier: Apache-2.0
root=$1
build=$2
libdir=$3
readme=$root/sdk/README.md

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
ln -s "$root/plugins" plugins

fail() {
    printf '%s\n' "$*"
    exit 1
}

# block HEADING: the first C block below that heading.
block() {
    awk -v heading="$1" '!inside && /^##/ { here = $0 == heading }
        $0 == "```" && inside { exit }
        inside { print }
        here && $0 == "```c" { inside = 1 }' "$readme"
}

block '## The smallest one' >hello.c
block '## Testing' >test_hello.c
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.19)
project(hello LANGUAGES C)
find_package(Pegboard REQUIRED)
enable_testing()
pegboard_add_plugin(hello SOURCES hello.c)
add_executable(test_hello test_hello.c hello.c)
target_link_libraries(test_hello PRIVATE Pegboard::testing)
add_test(NAME hello COMMAND test_hello WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
CMAKE

cmake --install "$build" --prefix "$scratch/first" >log 2>&1 || fail "$(cat log)"
mv first moved # whoever packs it moves it
for package in "$build" "$scratch/moved/$libdir/cmake/Pegboard"; do
    for compiler in gcc clang; do
        command -v "$compiler" >/dev/null || continue
        rm -rf made
        { cmake -S . -B made -DPegboard_DIR="$package" \
            -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$compiler" &&
            cmake --build made && cd made && ctest --output-on-failure &&
            cd ..; } >"$scratch/log" 2>&1 ||
            fail "$package $compiler: $(cat "$scratch/log")"
        grep -q '100% tests passed.* out of 1' "$scratch/log" ||
            fail "no test ran: $(cat "$scratch/log")"
    done
done

export PKG_CONFIG_PATH="$scratch/moved/$libdir/pkgconfig"
flags=$(pkg-config --cflags --libs pegboard-testing) || exit 1
case $flags in
*"$build"* | *"$root"* | *first*) fail "pkg-config: $flags" ;;
esac
cc -o test_hello test_hello.c hello.c $flags && ./test_hello
