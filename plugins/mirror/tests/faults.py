"""What both databases' faults have in common."""

import subprocess
import time

import postgres
import rig
from pegboard import BUILD
from rig import TestCase, change, customer

MARGIN_S = 10  # beside the plugin's own timeout of 1 s: what is not bounded by
# that would last for ever, and the machine may be loaded


class FaultCase(TestCase):

    def check_retries(self, why, delay_ms=1000, **kwargs):
        """An event is to be tried again soon, and its time is kept."""
        start = time.monotonic()
        said = self.try_event(change("customer.updated", customer()), "retry",
                              **kwargs)
        self.assertLess(time.monotonic() - start, 1 + MARGIN_S)
        self.assertRegex(said, f"retry in {delay_ms} ms: .*(?i:{why})")
        self.assertNotIn(postgres.PASSWORD, said)
        return said

    def check_refused(self, dsn):
        """Before any event, and without showing what may be a password."""
        done = subprocess.run(
            [BUILD / "bin" / "pegboard-runner", "try", rig.SO, "-", "--option",
             f"dsn={dsn}"], input=change("a.b", customer()),
            capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 3, dsn)
        self.assertIn(b"dsn is neither", done.stderr)
        self.assertNotIn(b"hidden", done.stderr + done.stdout)
