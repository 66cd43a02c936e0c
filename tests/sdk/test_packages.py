#!/usr/bin/env python3
"""The packages that plugin authors build with.

Pegboard is installed into a fresh folder and moved; plugins of another project
are built against it, and against the build tree, by CMake and by pkg-config,
with GCC and Clang, as C11, C17 and C++17. Each is loaded by the runner.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ.get("PEGBOARD_BUILD", "build")).resolve()
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EVENT = ROOT / "plugins" / "receipts" / "event.json"
HEADER = ROOT / "sdk" / "include" / "pegboard" / "plugin.h"
COMPILERS = {"gcc": ("gcc", "g++"), "clang": ("clang", "clang++")}
COMMAND_S = 120  # no command here takes so long

# Where the shipped files go, below the prefix; LIB is CMake's.
LIB = re.search(r"^CMAKE_INSTALL_LIBDIR:\w+=(.*)$",
                (BUILD / "CMakeCache.txt").read_text(), re.M).group(1)
PACKAGE = f"{LIB}/cmake/Pegboard"
PLUGINS = f"{LIB}/pegboard/plugins"
INSTALLED = ["bin/pegboard", "bin/pegboard-runner",
             "include/pegboard/plugin.h", "include/pegboard/money.h",
             "include/pegboard/cjson.h", f"{LIB}/pkgconfig/pegboard-plugin.pc",
             f"{PACKAGE}/PegboardConfig.cmake",
             f"{PACKAGE}/PegboardConfigVersion.cmake",
             f"{PACKAGE}/PegboardTargets.cmake",
             f"{PACKAGE}/PegboardPlugin.cmake",
             f"{PACKAGE}/PegboardExports.cmake", f"{PACKAGE}/plugin.map",
             f"{PLUGINS}/receipts.so", f"{PLUGINS}/disputes.so",
             f"{PLUGINS}/balance.so"]
# These are built if their libraries are there.
INSTALLED += [f"{PLUGINS}/more/{path.name}"
              for path in (BUILD / "plugins" / "more").glob("*.so")]


def run(*command, fails=False, **more):
    """Run a command; return what it said, on both streams."""
    done = subprocess.run([str(word) for word in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=COMMAND_S, **more)
    if (done.returncode != 0) != fails:
        raise AssertionError(f"{' '.join(map(str, command))}\n"
                             f"exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def exports(plugin):
    """The names that a shared object exports."""
    lines = run("nm", "-D", "--defined-only", plugin).splitlines()
    return [line.split()[-1] for line in lines]


def abi():
    """major.minor, by the header."""
    return ".".join(re.findall(r"#define PEG_ABI_M\w+ +(\d+)",
                               HEADER.read_text()))


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="pegboard-sdk-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.log = run("cmake", "--install", BUILD, "--prefix",
                      cls.folder / "first")
        # Whoever packs it moves it: nothing may point at the first place.
        cls.prefix = cls.folder / "moved"
        (cls.folder / "first").rename(cls.prefix)
        cls.runner = cls.prefix / "bin" / "pegboard-runner"
        cls.pc = {"installed": cls.prefix / LIB / "pkgconfig", "build": BUILD}
        cls.package = {"installed": cls.prefix / PACKAGE, "build": BUILD}
        cls.expects = "--expect" in run(cls.runner, "--help")

    # ---- Helpers --------------------------------------------------------

    def compilers(self):
        """(name, C compiler, C++ compiler) of those that are here."""
        for name, (cc, cxx) in COMPILERS.items():
            if shutil.which(cc) and shutil.which(cxx):
                yield name, cc, cxx
            else:
                print(f"skipped: {name} is not installed")

    def pkg_config(self, *args, where="installed"):
        return run("pkg-config", *args, "pegboard-plugin",
                   env={**os.environ, "PKG_CONFIG_PATH": self.pc[where]}).strip()

    def configure(self, project, name, *args, where="installed", fails=False):
        """Configure a project into a folder of that name; (folder, said)."""
        build = self.folder / name
        said = run("cmake", "-S", project, "-B", build, "-G", "Unix Makefiles",
                   f"-DPegboard_DIR={self.package[where]}", *args, fails=fails)
        return build, said

    def outside(self, name, cc, cxx, *args, where):
        """Build the project outside/ and run its tests; its folder."""
        build, _ = self.configure(
            HERE / "outside", name, f"-DCMAKE_C_COMPILER={cc}",
            f"-DCMAKE_CXX_COMPILER={cxx}", f"-DEVENT={EVENT}",
            f"-DEXPECT={'ON' if self.expects else 'OFF'}", *args, where=where)
        run("cmake", "--build", build, "-j2")
        said = run("ctest", "--test-dir", build, "--output-on-failure", "-j2")
        under_valgrind = len(re.findall(r"/valgrind \.* +Passed", said))
        wanted = shutil.which("valgrind") and "SANITIZE" not in " ".join(args)
        self.assertEqual(under_valgrind, 3 if wanted else 0, said)
        return build

    def check_plugin(self, plugin, runner):
        self.assertEqual(exports(plugin), ["pegboard_plugin_v1"], plugin)
        flags = run("readelf", "-dW", plugin)
        self.assertRegex(flags, "BIND_NOW|NOW", plugin)
        said = run(runner, "try", plugin, EVENT, "--option", "greeting=moin")
        self.assertIn(": moin: ", said)
        self.assertIn("done\n", said)

    # ---- What is installed ----------------------------------------------

    def test_files_are_where_others_look(self):
        for name in INSTALLED:
            self.assertTrue((self.prefix / name).is_file(), name)
        for line in self.log.splitlines():
            self.assertNotRegex(line, r"/(tests|core)/")
        for name in INSTALLED:
            if name.endswith((".pc", ".cmake")):
                text = (self.prefix / name).read_text()
                for place in (ROOT, BUILD, self.folder / "first"):
                    self.assertNotIn(str(place), text, name)
        self.assertEqual((self.prefix / "include/pegboard/plugin.h").read_text(),
                         HEADER.read_text())

    def test_pkg_config_tells_places_and_abi(self):
        for where, plugins in (("installed", self.prefix / PLUGINS),
                               ("build", BUILD / "plugins")):
            told = self.pkg_config("--variable=plugindir", where=where)
            self.assertEqual(pathlib.Path(told).resolve(), plugins)
            self.assertTrue((plugins / "receipts.so").is_file())
            self.assertEqual(
                self.pkg_config("--variable=abi", where=where), abi())

    def test_cmake_tells_places_and_abi(self):
        project = self.folder / "asks"
        project.mkdir()
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.19)\nproject(asks NONE)\n"
            "find_package(Pegboard ${WANTED} REQUIRED)\n"
            'message("told ${Pegboard_ABI} ${Pegboard_PLUGIN_DIR}")\n')
        for where, plugins in (("installed", self.prefix / PLUGINS),
                               ("build", BUILD / "plugins")):
            _, said = self.configure(project, f"asks-{where}", "-DWANTED=0.1",
                                     where=where)
            self.assertIn(f"told {abi()} {plugins}\n", said)
        _, said = self.configure(project, "asks-more", "-DWANTED=99",
                                 fails=True)
        self.assertIn('compatible with requested version "99"',
                      " ".join(said.split()))

    def test_programs_find_each_other(self):
        pegboard = self.prefix / "bin" / "pegboard"
        said = run(pegboard, "try", self.prefix / PLUGINS / "receipts.so", EVENT)
        self.assertIn("done\n", said)
        said = run(pegboard, "dev", "--listen", "127.0.0.1:0", "--trigger",
                   "payment_intent.succeeded", "--once")
        self.assertIn("[done] receipts", said)

    # ---- Plugins of another project -------------------------------------

    def test_cmake_builds_against_the_installed_and_the_build_tree(self):
        for where in ("installed", "build"):
            for name, cc, cxx in self.compilers():
                with self.subTest(where=where, compiler=name):
                    build = self.outside(f"{where}-{name}", cc, cxx, where=where)
                    for plugin in ("c11", "c17", "cxx17"):
                        self.check_plugin(build / "plugins" / f"{plugin}.so",
                                          self.runner)
                    flags = "".join(
                        path.read_text() for path in
                        build.glob("CMakeFiles/*.dir/flags.make"))
                    for standard in ("c11", "c17", "c++17"):
                        self.assertIn(f"-std={standard}\n", flags)

    def test_a_bare_compiler_line_is_enough(self):
        sources = {"c11": "hello.c", "c17": "hello.c", "c++17": "mixed.cc"}
        for where in self.pc:
            flags = self.pkg_config("--cflags", "--libs", where=where).split()
            for name, cc, cxx in self.compilers():
                for standard, source in sources.items():
                    with self.subTest(where=where, compiler=name, std=standard):
                        plugin = self.folder / f"{where}-{name}-{standard}.so"
                        parts = [HERE / "outside" / source]
                        compiler = cc
                        if standard == "c++17":
                            compiler = cxx
                            part = self.folder / f"part-{name}.o"
                            run(cc, "-c", "-fPIC", "-o", part,
                                HERE / "outside" / "part.c")
                            parts.append(part)
                        run(compiler, f"-std={standard}", "-Wall", "-Wextra",
                            "-Wpedantic", "-Werror", "-shared", "-o", plugin,
                            *parts, *flags)
                        self.check_plugin(plugin, self.runner)

    def test_sanitized_plugins_run_in_the_plain_runner(self):
        for name, cc, cxx in self.compilers():
            with self.subTest(compiler=name):
                build = self.outside(f"sanitized-{name}", cc, cxx,
                                     "-DSANITIZE=address,undefined",
                                     where="installed")
                symbols = run("nm", "-D", build / "plugins" / "c11.so")
                self.assertIn("__asan_", symbols)

    def test_plugins_are_installed_beside_the_shipped_ones(self):
        build, _ = self.configure(HERE / "outside", "to-install",
                                  f"-DEVENT={EVENT}")
        run("cmake", "--build", build, "--target", "c11")
        run("cmake", "--install", build)
        self.assertTrue((self.prefix / PLUGINS / "c11.so").is_file())

    # ---- Mistakes -------------------------------------------------------

    def test_mistakes_fail_the_build_and_name_the_fix(self):
        build, _ = self.configure(HERE / "mistakes", "mistakes")
        run("cmake", "--build", build)
        said = run("cmake", "--build", build, "--target", "no_descriptor",
                   fails=True)
        self.assertIn("no_descriptor.so exports nothing: it lacks "
                      "pegboard_plugin_v1", said)
        self.assertIn("Write PEG_PLUGIN(", said)
        self.assertFalse((build / "no_descriptor.so").exists())
        said = run("cmake", "--build", build, "--target", "no_library",
                   fails=True)
        self.assertRegex(said, r"undefined reference to `?elsewhere")

        calls = {
            "pegboard_add_plugin(more mistake.cc)": "behind the word SOURCES",
            "pegboard_add_plugin(more)": "add SOURCES file...",
            "pegboard_add_plugin_test(more EVENT e.json)":
                "call pegboard_add_plugin(more ...) first",
            "pegboard_add_plugin_test(right)": "add EVENT file.json",
            "pegboard_add_plugin_test(right EVENT e.json EXPECT good)":
                "one of done skip retry fail",
            "pegboard_add_plugin_test(right EVENT e.json TWICE)":
                "not understood: TWICE",
        }
        for call, text in calls.items():
            _, said = self.configure(HERE / "mistakes", "mistakes",
                                     f"-DCALL={call}", fails=True)
            self.assertIn(text, " ".join(said.split()), call)

    def test_wrong_exports_are_told_apart(self):
        good = "const char pegboard_plugin_v1[8] = {1};\n"
        sources = {
            good: "",
            good + "int helper(void) { return 1; }\n":
                "exports more than pegboard_plugin_v1: helper",
            "int pegboard_plugin_v2 = 1;\n":
                "exports no pegboard_plugin_v1, but: pegboard_plugin_v2",
            "void pegboard_plugin_v1(void) {}\n": "is a function",
            "static int pegboard_plugin_v1 __attribute__((used)) = 1;\n":
                "pegboard_plugin_v1 is static or hidden",
            "static int _ZN4mine18pegboard_plugin_v1E"
            " __attribute__((used)) = 1;\n": "has a name of C++",
            "static int nothing __attribute__((used)) = 1;\n": "it lacks",
        }
        for number, (source, text) in enumerate(sources.items()):
            path = self.folder / f"wrong{number}"
            path.with_suffix(".c").write_text(source)
            run("gcc", "-shared", "-fPIC", "-o", path.with_suffix(".so"),
                path.with_suffix(".c"))
            said = run("cmake", f"-DPLUGIN={path}.so", "-DNM=nm", "-P",
                       self.prefix / PACKAGE / "PegboardExports.cmake",
                       fails=text != "")
            self.assertIn(text, " ".join(said.split()))

    # ---- The README -----------------------------------------------------

    def test_the_readme_builds_as_it_stands(self):
        text = (ROOT / "sdk" / "README.md").read_text()
        section = text[text.index("## Build it with CMake or pkg-config"):]
        project = self.folder / "readme"
        project.mkdir()
        shutil.copy(EVENT, project / "event.json")
        for name, start, within in (("hello.c", "```c\n", text),
                                    ("CMakeLists.txt", "```cmake\n", section)):
            block = within.split(start, 1)[1].split("```", 1)[0]
            (project / name).write_text(block)
        blocks = [block.split("```", 1)[0]
                  for block in section.split("```sh\n")[1:3]]
        where = {**os.environ, "CMAKE_PREFIX_PATH": str(self.prefix),
                 "PKG_CONFIG_PATH": str(self.pc["installed"]),
                 "PATH": f"{self.prefix}/bin:{os.environ['PATH']}"}
        said = run("sh", "-e", "-c", blocks[0], cwd=project, env=where)
        self.assertIn("100% tests passed", said)
        self.assertEqual(exports(project / "build" / "hello.so"),
                         ["pegboard_plugin_v1"])
        said = run("sh", "-e", "-c", blocks[1], cwd=project, env=where)
        self.assertIn("done\n", said)
        self.assertEqual(exports(project / "hello.so"), ["pegboard_plugin_v1"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
