"""The reference of ``serve --config`` in the documentation, which is made of its types."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.tap import serve_config

DOCS = Path(__file__).parents[1] / "docs"


class ReferenceTests(SynchronousTestCase):
    """No option is left out, and none without a word."""

    def sections(self) -> dict[str, list[Any]]:
        """The options that the page has, by the name of the section's type."""
        try:
            with mock.patch.object(sys, "path", [*sys.path, str(DOCS)]):
                reference = import_module("config_reference")
        except ModuleNotFoundError as problem:
            self.skipTest(f"{problem.name} is not installed")
        page = (DOCS / "serve.rst").read_text(encoding="utf-8")
        names = re.findall(r"config-section:: txtokensock[.\w]+\.(\w+)", page)
        return {name: reference.options_of(getattr(serve_config, name)) for name in names}

    def test_sections(self) -> None:
        """The page has each section under its own name."""
        kinds = {kind.__name__ for kind, _ in serve_config.SECTIONS.values()}
        self.assertEqual(set(self.sections()), kinds | {"OwnLimits"})
        page = (DOCS / "serve.rst").read_text(encoding="utf-8")
        for name in serve_config.SECTIONS:
            self.assertRegex(page, rf"(?m)^``\[{name}\]``$")

    def test_options(self) -> None:
        """Each option has a text, and says what it may be and what it is by default."""
        sections = self.sections()
        for name, options in sections.items():
            fields = getattr(serve_config, name).__struct_fields__
            self.assertEqual([option.name for option in options], list(fields))
            for option in options:
                self.assertTrue(option.text, (name, option.name))
        found = {option.name: option[1:3] for options in sections.values() for option in options}
        for name, expected in {
            "listen": ("a text", "required"),  # of the last, [admin]
            "password": ("a secret", ""),
            "allowed_hosts": ("a list of texts", ""),
            "channels": ("a whole number", "``1000``"),
            "ping": ("true or false", "``true``"),
            "token_path": ("a text", '``"/socket/token"``'),
        }.items():
            self.assertEqual((name, found[name]), (name, expected))
