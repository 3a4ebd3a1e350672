"""
Nothing private of another package: what it may change in any release.

A name that begins with an underscore is somebody's own.  Three ways lead to another's: to
import it, to take it from an object, and to inherit from its class and use it on ``self``.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .test_imports import imported, modules

ALLOWED: dict[str, dict[str, str]] = {
    "sockjs/server/server_websocket.py": {
        "_connectionMade": "what a WebSocket has before its handshake, which is done once for all",
        "_fail_connection": "a message of too many fragments ends as one of too many bytes",
    },
    "bridge/wamp/router_connection.py": {
        "_dataReceived": "what dataReceived does once it has built a debug message of each read"
    },
    "bridge/wamp/router_session.py": {"_session_id": "whether the realm is joined"},
    "bridge/wamp/wamp_session.py": {
        "_transport": "how much waits to be sent, and whether the session is still attached",
        "_session_id": "likewise; a session that ended has none",
        "_request_id_gen": "the id of a call that is to be cancelled must be known beforehand",
    },
}
"""Names of Autobahn's, by the module that uses them, with the reason."""

ROOMS = ["sockjs/*_websocket.py", "bridge/wamp/*.py"]
"""Where they may be."""


_BY_NAME = ("getattr", "setattr", "hasattr", "delattr")


def is_private(name: str) -> bool:
    """Whether it is somebody's own; ``__init__`` and ``_`` are not."""
    return name.startswith("_") and not name.startswith("__") and name != "_"


def private_imports(path: Path, tree: ast.AST) -> Iterator[str]:
    """What a module imports of the private parts of others."""
    for name, _ in imported(path, tree):
        package, *parts = name.split(".")
        if package != "txtokensock" and any(is_private(part) for part in (package, *parts)):
            yield name


def defined(tree: ast.AST) -> set[str]:
    """The names that the classes and functions of a module give to what is theirs."""
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and own(node):
            names.add(node.attr)
    return names


def own(node: ast.Attribute) -> bool:
    """Whether it is taken from ``self`` or ``cls``, or from what these inherit."""
    value = node.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id == "super"
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def taken(tree: ast.AST) -> Iterator[str]:
    """What a module takes of objects that are not its own; by ``getattr``, too."""
    ours = defined(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if is_private(node.attr) and not own(node) and node.attr not in ours:
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in _BY_NAME:
            name = node.args[1]
            if isinstance(name, ast.Constant) and is_private(name.value):
                yield name.value


@cache
def trees(module: str) -> dict[str, ast.ClassDef]:
    """The classes at the top of a foreign module."""
    try:
        source = Path(sys.modules[module].__file__ or "").read_text(encoding="utf-8")
        nodes = ast.parse(source).body
    except (AttributeError, KeyError, OSError, ValueError):  # written in C
        return {}
    return {
        node.name: node
        for node in ast.walk(ast.Module(nodes, []))
        if isinstance(node, ast.ClassDef)
    }


@cache
def private_of(kind: type) -> set[str]:
    """The private names of a class, those included that its methods give its instances."""
    names = {name for name in vars(kind) if is_private(name)}
    tree = trees(kind.__module__).get(kind.__name__)
    nodes = ast.walk(tree) if tree else ()
    attributes = (node for node in nodes if isinstance(node, ast.Attribute))
    return names | {node.attr for node in attributes if is_private(node.attr) and own(node)}


def inherited(kind: type, tree: ast.ClassDef) -> Iterator[str]:
    """What a class uses on itself that is private to a foreign class which it inherits from."""
    foreign = set[str]()
    for base in getattr(kind, "__mro__", ()):  # an interface of zope's has none
        if not base.__module__.startswith("txtokensock"):
            foreign |= private_of(base)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and own(node) and node.attr in foreign:
            yield node.attr
        elif isinstance(node, ast.FunctionDef) and node.name in foreign:
            yield node.name


def classes(node: ast.AST, scope: Any) -> Iterator[tuple[type, ast.ClassDef]]:
    """The classes of a module, with their syntax trees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            kind = getattr(scope, child.name)
            yield kind, child
            yield from classes(child, kind)
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from classes(child, scope)


def inherited_in(path: Path, tree: ast.AST) -> Iterator[str]:
    """The same for all classes of a module."""
    parts = path.with_suffix("").parts
    module = ".".join(["txtokensock", *(part for part in parts if part != "__init__")])
    if parts[-1] == "__main__":  # to import it is to run it
        return
    import_module(module)
    for kind, node in classes(tree, sys.modules[module]):
        yield from inherited(kind, node)


class PrivateNameTests(SynchronousTestCase):
    """The law, in all modules."""

    def test_imports(self) -> None:
        """None imports what is private."""
        broken = {str(path): [*private_imports(path, tree)] for path, tree in modules()}
        self.assertEqual({path: names for path, names in broken.items() if names}, {})

    def test_names(self) -> None:
        """None takes it from objects, or from classes it inherits from: save what is listed,
        all of which is used."""
        used = {
            path.as_posix(): {*taken(tree), *inherited_in(path, tree)} for path, tree in modules()
        }
        self.assertEqual(
            {path: names for path, names in used.items() if names},
            {path: set(names) for path, names in ALLOWED.items()},
        )

    def test_rooms(self) -> None:
        """What is listed is Autobahn's, in the rooms that may import it."""
        for path in ALLOWED:
            self.assertTrue(any(fnmatch(path, room) for room in ROOMS), path)

    def test_the_law_is_looked_at(self) -> None:
        """The test itself."""
        path = Path("web/x.py")
        for source, found in (
            ("from twisted.web._newclient import ParseError", True),
            ("import twisted.web._newclient", True),
            ("from twisted.web.http import _DataLoss", True),
            ("from __future__ import annotations", False),
            ("from ._x import y", False),
            ("import twisted.web.client", False),
        ):
            self.assertEqual(bool([*private_imports(path, ast.parse(source))]), found, source)
        for source, found in (
            ("pool._factory = 5", True),
            ("x.y._z", True),
            ("getattr(x, '_y')", True),
            ("getattr(x, 'y')", False),
            ("x.__dict__", False),
            ("class A:\n def f(self, other): self._x = other._x", False),
        ):
            self.assertEqual(bool([*taken(ast.parse(source))]), found, source)

        class Parser(argparse.ArgumentParser):
            __module__ = "txtokensock.x"

        for body, found in (
            ("def f(self): self._subparsers", True),
            ("def f(self): self._subparsers = 1", True),
            ("def f(self): super()._get_formatter()", True),
            ("def _get_formatter(self): pass", True),
            ("def f(self): self._own = 1", False),
        ):
            (node,) = ast.parse(f"class Parser(ArgumentParser):\n {body}").body
            assert isinstance(node, ast.ClassDef)
            self.assertEqual(bool([*inherited(Parser, node)]), found, body)
