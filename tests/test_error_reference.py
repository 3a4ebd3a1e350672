"""The page on troubleshooting, which is made of the errors' docstrings."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet import error
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import errors
from txtokensock.cli import output
from txtokensock.server import close_codes
from txtokensock.server.close_codes import CloseCode
from txtokensock.sockjs import frames

DOCS = Path(__file__).parents[1] / "docs"


class SectionTests(SynchronousTestCase):
    """Each class has a section that helps."""

    def reference(self) -> Any:
        """The extension of Sphinx."""
        try:
            with mock.patch.object(sys, "path", [*sys.path, str(DOCS)]):
                return import_module("error_reference")
        except ModuleNotFoundError as problem:
            self.skipTest(f"{problem.name} is not installed")

    def test_cause_and_remedy(self) -> None:
        """Each class has both in a docstring of its own, as whole sentences."""
        reference = self.reference()
        self.assertGreater(len(reference.public_errors()), 35)
        for kind in reference.public_errors():
            cause, remedy = reference.cause_and_remedy(kind)
            self.assertIsNotNone(vars(kind).get("__doc__"), kind)
            for text in (cause, remedy):
                self.assertRegex(text, r"(?s)^[A-Z].*[.)?:\]]$", kind)
                self.assertNotIn(":ivar", text)

    def test_close_codes(self) -> None:
        """The table has every code of the server and of SockJS."""
        page = (DOCS / "troubleshooting.rst").read_text(encoding="utf-8")
        ours = {code.code for code in vars(close_codes).values() if isinstance(code, CloseCode)}
        sockjs = {frames.INTERRUPTED, frames.STILL_OPEN, frames.GO_AWAY, frames.NO_HEARTBEAT}
        listed = {int(code) for code in re.findall(r"(?m)^   \* - (\d{4})$", page)}
        self.assertEqual(listed, ours | {code for code, _ in sockjs} | {1000, 1009, 4001, 4002})


class PlaceTests(SynchronousTestCase):
    """The command says where an error is explained."""

    def setUp(self) -> None:
        self.patch(output, "_named", set())

    def test_once(self) -> None:
        """Each class is named once, whatever the text is."""
        place = " (docs: troubleshooting.html#TokenInvalid)"
        self.assertEqual(output.place_in_docs(errors.TokenInvalid("a")), place)
        self.assertEqual(output.place_in_docs(errors.TokenInvalid("b")), "")
        place = " (docs: troubleshooting.html#TokenUnreachable)"
        self.assertEqual(output.place_in_docs(errors.TokenUnreachable("c")), place)

    def test_errors_of_others(self) -> None:
        """The page has nothing on Twisted's, also where the name is that of one of ours."""
        self.assertEqual(output.place_in_docs(error.ConnectionLost()), "")
        self.assertEqual(output.place_in_docs(ValueError("x")), "")
