"""
Mutants are programs, and what draws them finds what is easy to forget.
"""

from __future__ import annotations

import ast
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from .mutations import mutants_of

ROOT = Path(__file__).parents[2]

MODULE = """
def take(self, room):
    if not self.open and room <= 0:
        self._log.info("no room")
        return False
    self.count += 1
    self.told = True
    del self.waiting[room]
    self.notify()
    for late in reversed(self.late):
        late.cancel()
"""


class MutantsTests(SynchronousTestCase):
    """What can be changed in a module."""

    def test_programs(self) -> None:
        """Every mutant of a real module can be compiled, and is another program."""
        path = "txtokensock/client/request_queue.py"
        source = (ROOT / path).read_bytes()
        before = ast.dump(ast.parse(source))
        mutants = mutants_of(ROOT, path)
        self.assertGreater(len(mutants), 30)
        for mutant in mutants:
            self.assertNotEqual(ast.dump(ast.parse(mutant.apply(source))), before, str(mutant))

    def test_kinds(self) -> None:
        """Guards, bounds, resets and cleanups are changed; what is logged is not."""
        with TemporaryDirectory() as folder:
            Path(folder, "module.py").write_text(MODULE)
            changes = [
                (mutant.before, mutant.after) for mutant in mutants_of(Path(folder), "module.py")
            ]
        for change in (
            ("not self.open", "(self.open)"),
            ("not self.open and room <= 0", "(room <= 0)"),
            ("room <= 0", "(room < 0)"),
            ("self.count += 1", "pass"),
            ("self.told = True", "pass"),
            ("del self.waiting[room]", "pass"),
            ("self.notify()", "pass"),
            ("reversed(self.late)", "list(self.late)"),
        ):
            self.assertIn(change, changes)
        self.assertNotIn("self._log", "".join(before for before, _ in changes))
