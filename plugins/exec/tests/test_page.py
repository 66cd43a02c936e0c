"""The README's page: each handler is run as it stands there."""

import json
import re
import shutil
import subprocess

import pegboard
import rig
from pegboard import BIN, DONE, FAIL, event, id_of, wait_for
from rig import PLUGIN

README = (rig.SOURCE / "README.md").read_text()
TYPE = "payment_intent.succeeded"


def behind(heading):
    return README[README.index(f"\n{heading}\n"):]


def block(heading, language):
    """The first one of that language behind a heading."""
    return re.search(rf"```{language}\n(.*?)```", behind(heading),
                     re.DOTALL)[1]


class Handlers(rig.Rig, pegboard.TestCase):

    def check(self, heading, language):
        command, lines = re.search(
            r"\A\n###.*\n\n`command = (.*?)`( and `mode = lines`)?\n",
            behind(heading)).groups()
        if command.endswith(".mjs") and not shutil.which(
                "node", path="/usr/local/bin:/usr/bin:/bin"):
            self.skipTest("node is not installed")
        self.paid = self.folder / "paid"
        self.paid.mkdir()
        daemon = self.daemon(start=False)
        handler = daemon.folder / command
        handler.write_text(block(heading, language))
        handler.chmod(0o755)
        ini = re.search(r"```ini\n(.*?)```", README, re.DOTALL)[1]
        for old, new in (("more/exec.so", f"{PLUGIN}\nenv.EXEC_TEST = "
                                          f"{self.mark}"),
                         ("/var/lib/paid", str(self.paid)),
                         ("./paid.sh", command +
                          ("\nmode = lines" if lines else ""))):
            self.assertEqual(ini.count(old), 1)
            ini = ini.replace(old, new)
        daemon.write_ini(ini)
        daemon.start()
        self.check_paid(daemon)
        if language != "sh":
            self.check_no_amount(daemon)
        self.assertEqual(daemon.stop(), 0)
        self.check_nothing_left()

    def check_paid(self, daemon):
        """Handled once and once more, it is there once."""
        payment = {"id": "pi_7", "amount": 5, "n": "\u00e9\u2028"}
        body = json.dumps(json.loads(event(TYPE, obj=payment)),
                          ensure_ascii=False).encode()
        name = f"{id_of(body)}:paid"
        for times in (1, 2):
            if times == 1:
                daemon.post(body)
            else:
                subprocess.run([BIN, "replay", "-c", daemon.ini, "--yes",
                                id_of(body)], check=True, capture_output=True)
            wait_for(lambda: len(daemon.attempts(body)) == times and
                     daemon.unfinished() == 0, "the event to be handled")
            self.assertEqual([file.name for file in self.paid.iterdir()],
                             [name])
            kept = json.loads((self.paid / name).read_text())
            self.assertEqual(kept.get("data", {"object": kept})["object"],
                             payment)
        self.assertEqual(daemon.attempts(body), [
            (n, DONE, "kept pi_7") for n in (1, 2)])

    def check_no_amount(self, daemon):
        body = event(TYPE, obj={"id": "pi_8"})
        daemon.post(body)
        wait_for(lambda: daemon.dead() == 1, "the dead letter")
        [(_, outcome, note)] = daemon.attempts(body)
        self.assertEqual(outcome, FAIL)
        self.assertRegex(note, "the payment has no amount$")

    def test_shell(self):
        self.check("### Shell", "sh")

    def test_python(self):
        self.check("### Python", "python")

    def test_python_that_runs_on(self):
        self.check("### Python that runs on", "python")

    def test_node(self):
        self.check("### Node", "js")

    def test_node_that_runs_on(self):
        self.check("### Node that runs on", "js")

    def test_no_handler_is_left_out(self):
        self.assertEqual(len(re.findall(r"(?m)^`command = ", README)), 5)


class Rest(rig.Rig, pegboard.TestCase):

    def test_lines_to_try_them(self):
        for heading, name in (("### Python", "paid.py"),
                              ("### Python that runs on", "paid_lines.py")):
            handler = self.folder / name
            handler.write_text(block(heading, "python"))
            handler.chmod(0o755)
        *tries, dev = block("### Try them", "sh").splitlines()
        self.assertIn("pegboard dev", dev)
        for line, count in zip(tries, (2, 1), strict=True):
            self.assertEqual(line.count("=/tmp"), 1)
            line = line.replace("=/tmp", f"={self.folder}")
            ran = subprocess.run(
                re.sub("^pegboard", str(BIN), line), shell=True,
                cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertEqual(ran.stdout.count("done: kept pi_"), count)

    def test_table_names_all_facts(self):
        facts = re.findall(r'\{PEG_META_\w+, [01], "(\w+)", "(\w+)"\}',
                           (rig.SOURCE / "facts.c").read_text())
        self.assertEqual(len(facts), 15)
        for variable, member in facts:
            self.assertIn(f"| `PEGBOARD_{variable}` | `{member}` |", README)


if __name__ == "__main__":
    pegboard.main()
