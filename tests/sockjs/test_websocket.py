"""
What the WebSockets use of Autobahn that is not public.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from types import ModuleType

from autobahn.twisted.websocket import WebSocketClientProtocol, WebSocketServerProtocol
from autobahn.websocket import protocol as autobahn_protocol
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.sockjs import websocket
from txtokensock.sockjs.client import client_websocket
from txtokensock.sockjs.server import server_websocket

MODULES = (websocket, client_websocket, server_websocket)
LISTED = set(re.findall(r"^- ``(\w+)``", websocket.__doc__ or "", re.MULTILINE))
AUTOBAHN = set(dir(WebSocketClientProtocol)) | set(dir(WebSocketServerProtocol))


def defined(module: ModuleType) -> set[str]:
    """The names of the methods, and of what is assigned to ``self``."""
    names = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def used(module: ModuleType) -> Iterator[str]:
    """The names after a ``self.`` or ``super().``."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Attribute):
            yield node.attr


class AutobahnTests(SynchronousTestCase):
    """The list at the top of the shared module."""

    def test_complete(self) -> None:
        """Each of Autobahn's private names that is used is listed."""
        private = {
            name
            for module in MODULES
            for name in used(module)
            if name.startswith("_") and not name.startswith("__") and name in AUTOBAHN
        }
        self.assertEqual(private - LISTED, set())
        self.assertEqual(private, {name for name in LISTED if name.startswith("_")})

    def test_used(self) -> None:
        """Nothing is listed that is not used or overridden any more."""
        names = {name for module in MODULES for name in {*used(module), *defined(module)}}
        # One is asked for by getattr: a handshake may fail before there is a status.
        self.assertEqual(LISTED - names - {"http_status_line"}, set())

    def test_there(self) -> None:
        """Autobahn still has them all."""
        source = inspect.getsource(autobahn_protocol)
        for name in LISTED:
            self.assertRegex(source, rf"(self\.|def ){name}\b")

    def test_ours_are_ours(self) -> None:
        """No private attribute of ours has the name of one of Autobahn's."""
        ours = {name for module in MODULES for name in defined(module) if name[:1] == "_"}
        self.assertEqual({name for name in ours & AUTOBAHN if name[:2] != "__"}, set())
