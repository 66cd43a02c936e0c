"""tables.py PEGBOARD [README PLUGIN.so]...: the table of options in each README
names what its plugin declares: names, defaults, what is required, what is secret.

    | option | default | |
    |---|---|---|
    | `name` | `default` | any text |

Instead of a default stands "required", or for a plugin without one any text. A
row may have several names, if what it says holds for each."""

import json
import re
import subprocess
import sys


def declared(pegboard, plugin):
    """(default or "required" or None, whether it is secret) by name."""
    said = subprocess.run([pegboard, "plugins", "inspect", "--json", plugin],
                          check=True, capture_output=True).stdout
    return {option["name"]: ("required" if option["required"]
                             else option.get("default") or None,
                             option["secret"])
            for option in json.loads(said)["options"]}


def written(readme):
    """The same, from its table."""
    table = re.search(r"(?m)^\| option \| default \|.*\n\|---.*\n((\|.*\n)*)",
                      readme)
    options = {}
    for row in table[1].splitlines() if table else []:
        names, default, text = (row.strip().strip("|") + "||").split("|", 2)
        default = default.strip()
        quoted = re.match(r"`(.*?)`", default)
        default = (quoted[1] if quoted else
                   "required" if default == "required" else None)
        is_secret = "secret" in re.sub(r"`.*?`", "", text)
        for name in re.findall(r"`(.*?)`", names):
            options[name] = default, is_secret
    return options


def main(pegboard, *pairs):
    differ = 0
    for path, plugin in zip(pairs[::2], pairs[1::2]):
        with open(path) as file:
            has, should = written(file.read()), declared(pegboard, plugin)
        for name in sorted(has.keys() | should.keys()):
            if has.get(name) != should.get(name):
                differ += 1
                print(f"{path}: {name}: has {has.get(name)}, "
                      f"but declared is {should.get(name)}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
