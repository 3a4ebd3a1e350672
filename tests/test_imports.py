"""
Who may import whom: the layers have one direction, and each concern one home.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import txtokensock

ROOT = Path(txtokensock.__file__).parent

BASE = {"errors", "address", "jsontext", "support"}
SHARED = BASE | {"messages", "actions", "sockjs"}
ALLOWED = {
    "errors": set[str](),
    "support": {"errors"},
    "address": {"errors"},
    "jsontext": {"errors"},
    "messages": BASE,
    "actions": BASE,
    "web": BASE,
    "sockjs": BASE | {"web"},
    "client": SHARED | {"web"},
    "server": SHARED | {"web"},
    "bridge": SHARED | {"web", "client", "server"},
    "": {"errors", "support", "web", "client"},
}
"""
Each room of the package, and the rooms that it may import; "" is the package itself.
What is not named is the top: the command line, and the test kit, which nothing imports.
"""

CONFINED = {
    "autobahn": ["sockjs/*/websocket.py", "bridge/wamp/*.py"],
    "txaio": ["sockjs/*/websocket.py", "bridge/wamp/*.py"],
    "treq": ["web/client/*.py", "bridge/webhooks/webhook_requests.py", "testing/*.py"],
    "h11": ["web/client/*.py"],
    "klein": ["bridge/http/*.py"],
    "prometheus_client": ["server/ops/metrics.py", "bridge/http/bridge_metrics.py"],
}
"""Libraries, and their homes."""


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the package, by its path below it."""
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path, tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The full names of what a module imports, wherever in it."""
    package = ["txtokensock", *path.parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = [*start, *(node.module or "").split(".")] if node.module else start
            for alias in node.names:
                yield ".".join([*base, alias.name]), node


def room(path: Path) -> str:
    """The room that a module belongs to."""
    first = path.parts[0] if len(path.parts) > 1 else path.stem
    return "" if first == "__init__" else first


class ImportLawTests(SynchronousTestCase):
    """The law."""

    def test_directions(self) -> None:
        """No room imports one above it; client and server never import each other."""
        broken = []
        for path, tree in modules():
            here = room(path)
            for name, _ in imported(path, tree):
                parts = name.split(".")
                if parts[0] != "txtokensock" or len(parts) == 1:
                    continue
                if (ROOT / parts[1]).is_dir() or (ROOT / f"{parts[1]}.py").is_file():
                    there = parts[1]
                else:
                    there = ""  # a name of the package itself
                allowed = there in ALLOWED[here] if here in ALLOWED else there != "testing"
                if there != here and not allowed:
                    broken.append(f"{path} imports {name}")
        self.assertEqual(broken, [])

    def test_confined_libraries(self) -> None:
        """Autobahn and treq are imported in their homes alone."""
        broken = []
        for path, tree in modules():
            for name, _ in imported(path, tree):
                homes = CONFINED.get(name.split(".")[0])
                if homes and not any(fnmatch(path.as_posix(), home) for home in homes):
                    broken.append(f"{path} imports {name}")
        self.assertEqual(broken, [])

    def test_no_global_reactor(self) -> None:
        """The reactor is a constructor's argument: nothing imports it while it loads."""
        broken = []
        for path, tree in modules():
            outside = ast.Module(
                [node for node in tree.body if not isinstance(node, ast.FunctionDef)], []
            )
            for node in ast.walk(outside):
                if isinstance(node, ast.ClassDef):
                    node.body = [n for n in node.body if not isinstance(n, ast.FunctionDef)]
            for name, _ in imported(path, outside):
                if name.startswith("twisted.internet.reactor"):
                    broken.append(str(path))
        self.assertEqual(broken, [])

    def test_the_law_is_looked_at(self) -> None:
        """The test itself: relative and absolute imports are understood."""
        tree = ast.parse("from ..errors import A\nfrom . import b\nimport treq.client\n")
        names = [name for name, _ in imported(Path("client/socket.py"), tree)]
        self.assertEqual(names, ["txtokensock.errors.A", "txtokensock.client.b", "treq.client"])


class ExportTests(SynchronousTestCase):
    """The public names."""

    def test_pinned(self) -> None:
        """What `import *` gives: a name more or less is a decision."""
        errors = {
            *(
                "ActionError",
                "AllHostsFailed",
                "AllTransportsFailed",
                "AttemptTimeout",
                "AuthenticationAborted",
                "AuthenticationError",
            ),
            *("AuthenticationRefused", "CallTimeout", "ClientClosed", "ConnectFailed"),
            *("ConnectionFailed", "ConnectionLost", "CredentialsUnavailable", "Forbidden"),
            *("FunctionNotFound", "HandshakeRefused", "InvalidAddress", "InvalidChannel"),
            *("InvalidData", "InvalidOption", "NetworkError", "PeerError", "PeerSilent"),
            *("ProxyRefused", "QueueFull", "RemoteError", "SockJSClosed", "SockJSRefused"),
            "SubscriptionEnded",
            *("TLSFailed", "TokenError", "TokenInvalid", "TokenRefused", "TokenServerError"),
            *("TokenSocketError", "TokenUnreachable", "UnsolicitedError", "UsageError"),
        }
        own = {"Backoff", "Subscription", "TLSPolicy", "Timeouts", "TokenSocket"}
        self.assertEqual(set(txtokensock.__all__), errors | own)
        self.assertEqual(txtokensock.__all__, sorted(txtokensock.__all__))

    def test_exist(self) -> None:
        """Every module's ``__all__`` names what there is."""
        from importlib import import_module

        for package in ("", ".sockjs", ".client.socket", ".errors", ".jsontext", ".testing"):
            module = import_module(f"txtokensock{package}")
            for name in module.__all__:
                self.assertTrue(hasattr(module, name), f"{package}.{name}")
