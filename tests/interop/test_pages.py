"""What the pages of the documentation say, done as a reader would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.kit.processes import ROOT, Program

from .pages import blocks_of
from .support import InteropTestCase

_DOCS = ("tutorial", "how-to", "browser", "troubleshooting", "command-line")
PAGES = ("README.md", *(f"docs/{name}.rst" for name in _DOCS))


def _own_network() -> list[str]:
    """
    What runs a program in a network of its own, where the system lets us.  When it ends, so does
    all that it has started.
    """
    command = ["unshare", "--map-root-user", "--net", "--pid", "--kill-child"]
    allowed = (
        shutil.which("unshare")
        and not subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    )
    return command if allowed else []


class ReaderOf(Program):
    """Somebody who does what a page says."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.name = page
        self._unshared = _own_network()

    def command(self) -> list[str]:
        options = ["--new-network"] if self._unshared else []
        program = [sys.executable, "-m", "tests.interop.pages", self.name, *options]
        return [*self._unshared, *program]

    def is_ready(self, line: str) -> bool:
        return True


class PageTests(InteropTestCase):
    """Each page, from its first block to its last."""

    programs = ("make", "bash")
    timeout = 120

    async def _read(self, page: str) -> None:
        reader = await self.started(ReaderOf(page))
        await reader.ended(100)
        self.assertIn("is right", reader.output[-2], reader.log())

    def test_left_out(self) -> None:
        """What is not run says why."""
        for page in PAGES:
            for block in blocks_of(ROOT / page):
                if not block.is_run:
                    self.assertGreater(len(block.comment.split()), 4, (page, block.line))

    def test_every_block(self) -> None:
        """No block is written so that it is overlooked."""
        for page in PAGES:
            text = (ROOT / page).read_text(encoding="utf-8")
            marks = text.count("code-block:: console") + text.count("```console")
            consoles = [block for block in blocks_of(ROOT / page) if block.kind == "console"]
            self.assertEqual((page, len(consoles)), (page, marks))


for _page in PAGES:
    _name = f"test_{Path(_page).stem.lower().replace('-', '_')}"
    _test = partial(PageTests._read, page=_page)
    setattr(PageTests, _name, lambda self, test=_test: test(self))
