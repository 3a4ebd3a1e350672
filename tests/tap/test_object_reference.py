"""``module:attribute``, and every way in which it can be wrong."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import InvalidOption
from txtokensock.tap.object_reference import load, load_actions, load_function


class LoadingTests(SynchronousTestCase):
    """With a directory of modules as the current one."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="txtokensock-")
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name).resolve()
        here = os.getcwd()
        os.chdir(self.directory)
        self.addCleanup(os.chdir, here)
        path = mock.patch.object(sys, "path", list(sys.path))
        path.start()
        self.addCleanup(path.stop)
        modules = mock.patch.dict(sys.modules)
        modules.start()
        self.addCleanup(modules.stop)

    def write(self, source: str, name: str = "txtokensock_app") -> None:
        """A module."""
        path = self.directory / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)

    def refused(self, reference: str, load: object = load_actions) -> str:
        """What is said of a reference that cannot be: one line."""
        text = str(self.assertRaises(InvalidOption, load, reference))
        self.assertNotIn("\n", text)
        return text

    def test_current_directory(self) -> None:
        """Modules beside the user are found, in packages too, and come first."""
        self.write("class Here:\n    number = 5\n")
        self.assertEqual(load("txtokensock_app:Here.number"), 5)
        self.write("number = 6\n", "txtokensock_package.inner")
        self.assertEqual(load("txtokensock_package.inner:number"), 6)
        self.assertEqual(sys.path[0], str(self.directory))

    def test_actions(self) -> None:
        """A mapping, or what returns one."""
        self.write("ACTIONS = {'a': print, 'b': {'c': print}}\ndef make():\n    return ACTIONS\n")
        for name in ("ACTIONS", "make"):
            self.assertEqual(
                load_actions(f"txtokensock_app:{name}"), {"a": print, "b": {"c": print}}
            )

    def test_function(self) -> None:
        """A function is not called."""
        self.assertIs(load_function("builtins:len"), len)

    def test_form(self) -> None:
        """What is no reference."""
        for reference in ("", ":", "a", "a:", ":a", "a b:c", "a.:b", ".a:b", "a:b:c", "a/b.py:c"):
            self.assertIn("must be like package.module:attribute", self.refused(reference))

    def test_missing(self) -> None:
        """No module, and no attribute."""
        text = self.refused("txtokensock_missing.inner:a")
        self.assertIn("there is no module 'txtokensock_missing'", text)
        self.assertIn(str(self.directory), text)
        self.assertEqual(self.refused("json:missing.a"), "json has no 'missing.a'")

    def test_module_with_a_mistake(self) -> None:
        """The line names the mistake, and its place in the user's own code."""
        for source, said in (
            ("import txtokensock_missing\n", "No module named 'txtokensock_missing'"),
            ("from json import missing\n", "cannot import name 'missing'"),
            ("def f(:\n    pass\n", "SyntaxError"),
            ("import json; json.loads('')\n", "JSONDecodeError"),
            ("raise ValueError('a\\nb')\n", "ValueError: a"),
            ("import sys; sys.exit(1)\n", "SystemExit: 1"),
            ("x = 5 / 0\n", "ZeroDivisionError: division by zero"),
        ):
            sys.modules.pop("txtokensock_app", None)
            self.write(f"\n{source}")
            with mock.patch.object(sys, "dont_write_bytecode", True):
                error = self.assertRaises(InvalidOption, load, "txtokensock_app:a")
            text = str(error)
            self.assertNotIn("\n", text)
            self.assertTrue(text.startswith("cannot import txtokensock_app: "), text)
            self.assertIn(said, text)
            self.assertTrue(text.endswith("(txtokensock_app.py:2)"), text)

    def test_what_is_no_actions(self) -> None:
        """Neither a mapping of functions nor what returns one."""
        self.write(
            "number = 5\nasync def later():\n    pass\ndef nothing():\n    pass\n"
            "def broken():\n    return 5 / 0\ndotted = {'a.b': len}\nnested = {'a': {'b': 5}}\n"
        )
        for name, said in (
            ("number", "is an int: it must be a mapping"),
            ("later", "is a coroutine function: it must be"),
            ("nothing", "must be a mapping of names to functions"),
            ("broken", "failed: ZeroDivisionError: division by zero (txtokensock_app.py:7)"),
            ("dotted", "has the name 'a.b'"),
            ("nested", ":nested.a.b must be a mapping"),
        ):
            self.assertIn(said, self.refused(f"txtokensock_app:{name}"))
        self.assertIn("failed: TypeError", self.refused("operator:add"))

    def test_what_is_no_function(self) -> None:
        """It cannot be called."""
        self.assertEqual(
            self.refused("os:sep", load_function), "os:sep is a str: it must be a function"
        )
