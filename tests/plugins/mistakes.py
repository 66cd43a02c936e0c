"""The mistakes that test_mistakes.py makes, and what is to be said of each."""

import os
import pathlib
import shutil
import subprocess
import textwrap

BUILD = pathlib.Path(os.environ.get("PEGBOARD_BUILD", "build")).resolve()
CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "c++")
FIXTURES = BUILD / "tests" / "plugins"
INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "sdk" / "include"
PATIENCE_S = 60  # for a command

HANDLE = textwrap.dedent("""\
    #include <pegboard/plugin.h>
    #include <stdlib.h>
    static int32_t handle(peg_ctx *ctx, const peg_event *ev)
    { (void)ctx; (void)ev; return PEG_DONE; }
    """)
GOOD = HANDLE + """
    PEG_PLUGIN(.name = "mine", .version = "1.0", PEG_EVENTS("*"),
               .handle = handle);
    """
OWN = HANDLE + """
    %s const struct peg_plugin %s = {.size = sizeof(struct peg_plugin),
        .abi_major = 1, .name = "mine", .version = "1.0", .handle = handle};
    """
CALLS = """
    #include <pegboard/plugin.h>
    %s
    static int32_t handle(peg_ctx *ctx, const peg_event *ev)
    { (void)ctx; (void)ev; return %s ? PEG_DONE : PEG_FAIL; }
    PEG_PLUGIN(.name = "mine", .version = "1.0", PEG_EVENTS("*"),
               .handle = handle);
    """
INIT = """
    #include <pegboard/plugin.h>
    #include <stdlib.h>
    #include <unistd.h>
    #include <pthread.h>
    static void *wait_long(void *arg)
    { pause(); return arg; }
    static int32_t init(peg_ctx *ctx)
    { pthread_t thread; (void)ctx; (void)thread; (void)wait_long; %s }
    static int32_t handle(peg_ctx *ctx, const peg_event *ev)
    { (void)ctx; (void)ev; return PEG_DONE; }
    PEG_PLUGIN(.name = "mine", .version = "1.0", PEG_EVENTS("*"),
               .init = init, .handle = handle);
    """
OPTIONS = """
    #include <pegboard/plugin.h>
    static const peg_option options[] = {
        {"greeting", PEG_OPTION_STRING, 0, "", "a word"},
        {"wait", PEG_OPTION_DURATION, 0, "1s", "between tries"},
        {"token", PEG_OPTION_STRING, PEG_OPTION_REQUIRED | PEG_OPTION_SECRET,
         NULL, "of the API"},
    };
    static int32_t handle(peg_ctx *ctx, const peg_event *ev)
    { (void)ctx; (void)ev; return PEG_DONE; }
    PEG_PLUGIN(.name = "mine", .version = "1.0", PEG_EVENTS("*"),
               PEG_OPTIONS(options), .handle = handle);
    """


class Maker:
    """Makes wrong files, each in a folder of its own."""

    def __init__(self, root):
        self.root = root
        self.count = 0

    def folder(self):
        self.count += 1
        folder = self.root / f"m{self.count}"
        folder.mkdir()
        return folder

    def compile(self, source, *flags, cc=CC, suffix="c", out="mine.so"):
        folder = self.folder()
        (folder / f"mine.{suffix}").write_text(textwrap.dedent(source))
        subprocess.run([cc, "-w", "-fPIC", f"-I{INCLUDE}", "-o", folder / out,
                        folder / f"mine.{suffix}", *flags], check=True,
                       timeout=PATIENCE_S)
        return folder / out

    def shared(self, source, *flags, **more):
        return self.compile(source, "-shared", *flags, **more)

    def cpp(self, source, *flags):
        return self.shared(source, *flags, cc=CXX, suffix="cc")

    def fixture(self, name):
        return FIXTURES / f"{name}.so"

    def file(self, content, mode=0o644):
        path = self.folder() / "mine.so"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def patched(self, offset, *values):
        content = bytearray((FIXTURES / "noop.so").read_bytes())
        content[offset:offset + len(values)] = bytes(values)
        return self.file(bytes(content))

    def archive(self):
        part = self.compile(GOOD, "-c", out="mine.o")
        path = part.with_name("mine.so")
        subprocess.run(["ar", "rcs", path, part], check=True)
        return path

    def library_gone(self, *flags):
        """Links a library that is taken away; or one beside it."""
        folder = self.folder()
        (folder / "part.c").write_text("int part(void) { return 1; }\n")
        subprocess.run([CC, "-shared", "-fPIC", "-Wl,-soname,libpart.so.1",
                        "-o", folder / "libpart.so.1", folder / "part.c"],
                       check=True)
        path = self.shared(CALLS % ("int part(void);", "part()"),
                           folder / "libpart.so.1", *flags)
        if not flags:
            (folder / "libpart.so.1").unlink()
        else:
            shutil.copy(folder / "libpart.so.1", path.parent)
        return path


def own_header(maker):
    """The header without its declaration of the descriptor."""
    folder = maker.folder()
    text = (INCLUDE / "pegboard" / "plugin.h").read_text()
    text = text.replace("extern PEG_EXPORT const struct peg_plugin "
                        "pegboard_plugin_v1;", "")
    (folder / "own.h").write_text(text)
    return folder


# Mistake, how it is made, what is said of it. Three commands say it: `try`,
# `check` and `plugins inspect`; all with exit status 3.
FILES = [
    # -- the file
    ("the file is empty", lambda m: m.file(b""),
     "the file is empty: was it built, or is it still being copied?"),
    ("text: the source instead of the .so",
     lambda m: m.file(b"#include <pegboard/plugin.h>\n"),
     "not a shared object .no ELF header.: a plugin is the .so that "
     "gcc -shared makes"),
    ("a shell script", lambda m: m.file(b"#!/bin/sh\nexit 0\n"),
     "not a shared object but a script: the plugin exec runs those"),
    ("cut short in the header", lambda m: m.file(b"\x7fELF\x02\x01"),
     "cut short: .*is it still being copied"),
    ("cut short in the middle",
     lambda m: m.file((FIXTURES / "noop.so").read_bytes()[:9000]),
     "cut short: 9000 bytes are there, more are announced .is it still being "
     "copied"),
    ("cut short by one byte",
     lambda m: m.file((FIXTURES / "noop.so").read_bytes()[:-1]),
     "cut short: .*is it still being copied"),
    ("an object file (.o)",
     lambda m: m.compile(GOOD, "-c", out="mine.so"),
     "an object file .\\.o., not a shared object: link it with -shared"),
    ("an archive (.a)", lambda m: m.archive(),
     "an archive of object files .\\.a.: link it, with gcc -shared "
     "-Wl,--whole-archive"),
    ("a static program",
     lambda m: m.compile("int main(void) { return 0; }", "-static"),
     "a program, not a shared object: link it with -shared .and without "
     "-static."),
    ("a program (-pie)",
     lambda m: m.compile("int main(void) { return 0; }", "-pie"),
     "it is a program, not a shared object: link it with -shared instead of "
     "-pie"),
    ("built for aarch64", lambda m: m.patched(18, 183, 0),
     "built for another machine: for aarch64 .64-bit ARM., this one is "
     "x86-64: build it here, or with a cross compiler"),
    ("built with -m32", lambda m: m.patched(4, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0,
                                            0, 3, 0, 3, 0),
     "built for 32-bit programs .i386., this is a 64-bit one .x86-64.: build "
     "it here, without -m32"),
    ("a DLL of Windows", lambda m: m.file(b"MZ\x90\0" + bytes(200)),
     "not a shared object but made for Windows: build it here"),

    # -- dlopen
    ("a function that nobody defines", lambda m: m.fixture("undefined"),
     "undefined symbol: nobody_defines_this: link the library that defines it "
     ".ldd shows those it has., .* with -Wl,-z,defs the linker finds this"),
    ("-lcjson forgotten",
     lambda m: m.shared(CALLS % ("void *cJSON_Parse(const char *);",
                                 'cJSON_Parse("")')),
     "undefined symbol: cJSON_Parse: link it with -lcjson"),
    ("C++ linked as C",
     lambda m: m.shared(
         "#include <stdexcept>\nvoid fail() { throw std::logic_error({}); }\n",
         suffix="cc"),
     "undefined symbol: _Z\\w+: it has C\\+\\+ in it: link it with c\\+\\+"),
    ("a newer function without PEG_TARGET_MINOR",
     lambda m: m.shared(CALLS % ("int peg_store_put();",
                                 'peg_store_put(ev, "a", "b", 1)')),
     "undefined symbol: peg_store_put: .*include <pegboard/plugin.h>, and say "
     "PEG_TARGET_MINOR"),
    ("a library that is not installed", lambda m: m.library_gone(),
     "the library .*libpart.so.1 is not found: install it, or link with "
     "-Wl,-rpath,FOLDER"),
    ("built with AddressSanitizer",
     lambda m: m.shared(GOOD, "-fsanitize=address"),
     "it is built with AddressSanitizer, whose runtime must be there before "
     "it: pegboard try --preload libasan"),

    # -- its one export
    ("PEG_PLUGIN() forgotten", lambda m: m.shared(
        HANDLE + "int32_t my_handle(peg_ctx *c, const peg_event *e) "
        "{ return handle(c, e); }"),
     "exports no pegboard_plugin_v1, but my_handle: did you forget "
     "PEG_PLUGIN"),
    ("nothing exported at all",
     lambda m: m.shared(HANDLE, "-fvisibility=hidden"),
     "exports no pegboard_plugin_v1, nor anything else: did you forget "
     "PEG_PLUGIN.*, or to name its source under SOURCES"),
    ("an own declaration, and hidden visibility",
     lambda m: m.shared(
         (OWN % ("", "pegboard_plugin_v1")).replace(
             "<pegboard/plugin.h>", "<own.h>"),
         "-fvisibility=hidden", f"-I{own_header(m)}"),
     "it is there, but static, or hidden by -fvisibility=hidden and a "
     "declaration of your own, .*: define it with PEG_PLUGIN"),
    ("static",
     lambda m: m.shared(
         (OWN % ("static __attribute__((used))", "pegboard_plugin_v1")).replace(
             "<pegboard/plugin.h>", "<own.h>"), f"-I{own_header(m)}"),
     "it is there, but static, or hidden .*: define it with PEG_PLUGIN"),
    ("C++ without the header's extern \"C\"",
     lambda m: m.cpp((OWN % ("__attribute__((used))", "pegboard_plugin_v1"))
                     .replace("<pegboard/plugin.h>", "<own.h>"),
                     f"-I{own_header(m)}"),
     "it is there under a name of C\\+\\+ ._ZL18pegboard_plugin_v1.: include "
     "<pegboard/plugin.h>, which makes it extern \"C\""),
    ("C++ inside of a namespace",
     lambda m: m.cpp(HANDLE + "namespace mine { extern const peg_plugin "
                     "pegboard_plugin_v1; const peg_plugin pegboard_plugin_v1 "
                     "= {}; }"),
     "name of C\\+\\+ ._ZN4mine18pegboard_plugin_v1E.: .* outside of every "
     "namespace"),
    ("a plugin of a later ABI", lambda m: m.fixture("abi2"),
     "exports pegboard_plugin_v2: it was built for pegboard ABI 2, this is "
     "ABI 1: update pegboard, or build the plugin with this version's header"),
    ("a function instead of data", lambda m: m.fixture("function"),
     "pegboard_plugin_v1 is a function, it must be data: define it with "
     "PEG_PLUGIN"),

    # -- the descriptor
    ("size 0", lambda m: m.fixture("size0"),
     r"\.size is 0, at least 72 are needed: define it with PEG_PLUGIN"),
    ("size too small for handle", lambda m: m.fixture("too_small"),
     r"\.size is 71, at least 72 are needed: define it with PEG_PLUGIN"),
    ("size beyond the symbol", lambda m: m.fixture("size_lies"),
     r"\.size is 4096, but pegboard_plugin_v1 has 88 bytes: define it with "
     "PEG_PLUGIN"),
    ("another abi_major", lambda m: m.fixture("major2"),
     r"\.abi_major is 2, this is 1: build the plugin with the "
     "pegboard/plugin.h of this version"),
    ("needs_minor too high", lambda m: m.fixture("needs_minor99"),
     r"needs pegboard ABI 1\.99, this is 1\.\d+: update pegboard, or build "
     r"the plugin with PEG_TARGET_MINOR \d+"),
    ("name NULL", lambda m: m.fixture("null_name"),
     r'\.name is missing: add \.name = "\.\.\." to PEG_PLUGIN'),
    ("name with a blank", lambda m: m.fixture("bad_name"),
     r'\.name "Bad Name" must be 1 to 32 of a-z 0-9 - _'),
    ("name too long", lambda m: m.fixture("long_name"),
     r'\.name "a23456789-.*" must be 1 to 32 of a-z 0-9 - _'),
    ("version NULL", lambda m: m.fixture("null_version"),
     r'\.version is missing: add \.version = "1\.0" to PEG_PLUGIN'),
    ("handle NULL", lambda m: m.fixture("null_handle"),
     r"\.handle is missing: a plugin must have the function that gets the "
     "events"),
    ("events NULL", lambda m: m.fixture("null_events"),
     r'\.events is empty: say what to handle, e\.g\. PEG_EVENTS\("charge\.\*"'),
    ("no events", lambda m: m.fixture("no_events"), r"\.events is empty"),
    ("a bad glob", lambda m: m.fixture("bad_events"),
     r'"charge\*" is no event type: write a full name, "prefix\.\*" or "\*"'),
    ("257 events", lambda m: m.fixture("many_events"),
     "more than 256 entries, or does not end with NULL: use PEG_EVENTS"),
    ("options NULL", lambda m: m.fixture("null_options"),
     r"\.option_count is 2, but \.options is NULL: use PEG_OPTIONS\(table\)"),
    ("129 options", lambda m: m.fixture("many_options"),
     "129 options, at most 128 are possible"),
    ("option_stride 0", lambda m: m.fixture("stride0"),
     r"\.option_stride is 0, at least 32 are needed: use PEG_OPTIONS\(table\)"),
    ("option_stride too small", lambda m: m.fixture("small_stride"),
     r"\.option_stride is 31, at least 32 are needed: use PEG_OPTIONS"),
    ("two options of one name", lambda m: m.fixture("double_option"),
     'option "first" is declared twice'),
    ("an option's name with a capital", lambda m: m.fixture("bad_option"),
     'option 1: its name "Second" must be 1 to 48 of a-z 0-9 - _'),
    ("an option's type that is none", lambda m: m.fixture("bad_type"),
     r'option "second": type 8 is not one of PEG_OPTION_\*'),
    ("a default of the wrong form", lambda m: m.fixture("bad_default"),
     'its default "30" is not a duration like 250ms, 30s'),
]

# Mistake, code of init(), what `check` and `try --isolated` say; what `try`
# says, None: nothing (it would wait, or there is no mistake).
INITS = [
    ("init() says no, and why", 'peg_error(ctx, "no database"); return 5;',
     r"init\(\) returned 5: no database", r"error mine: no database"),
    ("init() says no without a reason", "return 7;",
     r"init\(\) returned 7: it did not say why: use peg_error\(\)",
     r"init\(\) returned 7, and did not say why: use peg_error\(\)"),
    ("init() crashes", "*(volatile int *)8 = 1; return 0;",
     r"init\(\) ends the process: killed by signal 11 \(SIGSEGV\) \(pegboard "
     "try on its file tells more",
     r"SIGSEGV in init\(\)\n  where: gdb --args pegboard-runner try"),
    ("init() aborts", "abort();",
     r"init\(\) ends the process: killed by signal 6 \(SIGABRT\)",
     r"SIGABRT in init\(\): abort\(\), a failed assertion, or an exception"),
    ("init() calls exit()", "exit(0);",
     r"init\(\) ends the process: exited with status 0: return instead of "
     r"exit\(\)",
     r"init\(\) called exit\(\), which ends the runner: return instead"),
    ("init() never returns", "for (;;) { pause(); }",
     r"init\(\) takes more than 10 s: leave slow work to handle\(\), or to a "
     "thread", None),
]

# Mistake, line of the section, what `check` says; option for `try`, what it
# says.
CONFIGS = [
    ("an option that is not declared", "greetnig = hi",
     'plugin "mine" has no option "greetnig", did you mean "greeting"',
     "greetnig=hi", 'has no option "greetnig", did you mean "greeting"'),
    ("one that is like none of them", "colour = red",
     'plugin "mine" has no option "colour" .see pegboard plugins inspect.',
     "colour=red", r'has no option "colour"; it declares:\n  greeting +a word'),
    ("a value of the wrong type", "wait = soon",
     'option "wait" must be a duration like 250ms, 30s, 5m',
     "wait=soon", 'option wait: "soon" is not a duration like 250ms, 30s'),
    ("a required option is missing", None,
     r'plugin "mine" needs the option "token" .of the API.: set it in '
     r"\[plugin mine options\]",
     None, r"option token is required: add --option token=VALUE .of the API."),
    ("a secret's file is missing", "token = file:nowhere",
     "token: file:nowhere cannot be read: No such file",
     "token=file:nowhere", "option token: file:nowhere cannot be read: No such"),
    ("a secret's file is open to everybody", "token = file:open",
     r"file:open is open to every user .mode 0644.; run chmod o= on it",
     "token=file:open", "file:open is open to every user .mode 0644.; run "
     "chmod o= on it"),
    ("a secret's variable is not set", "token = env:NOWHERE_SET",
     "environment variable NOWHERE_SET is not set; set it, or use file:PATH",
     "token=env:NOWHERE_SET", "environment variable NOWHERE_SET is not set"),
    ("a value with a NUL", "greeting = a\0b",
     "control character 0x00; save the file as plain UTF-8 text", None, None),
    ("a value that is no UTF-8", "greeting = gr\udce4ulich",
     "byte 0xe4 is no UTF-8; save the file as plain UTF-8 text",
     "greeting=gr\udce4ulich",
     "option greeting: byte 3 .0xe4. is no UTF-8: write it as UTF-8"),
    ("a line that is very long", "greeting = " + "x" * 300,
     "the line has 311 characters; at most 199 are read: continue it on an "
     "indented line", None, None),
    ("a value that is very long", "greeting =" + "\n  " .join(
        [""] + ["x" * 150] * 450),
     'the value of "greeting" has more than 65536 characters',
     "greeting=" + "x" * 66000,
     "option greeting: it has 66000 bytes, at most 65536 are possible: put it "
     "into a file, and make the option a path"),
    ("a value of two lines", None, None, "greeting=a\nb",
     "option greeting: byte 2 is the control character 0x0a: a value is one "
     "line"),
    ("an option given twice", "greeting = a\ngreeting = b",
     '"greeting" is given twice in .plugin mine options., first on line',
     "greeting=a\0greeting=b", "option greeting is given twice"),
    ("no value", "greeting",
     "no = in this line; write key = value",
     "greeting", "--option greeting: write key=value"),
]
