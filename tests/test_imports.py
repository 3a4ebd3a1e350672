"""
Who may import whom: the layers have one direction, and each concern one home.
"""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import txtokensock

ROOT = Path(txtokensock.__file__).parent

BASE = {"errors", "address", "jsontext", "support", "version"}
MESSAGES = BASE | {"messages", "actions"}
CLIENT = MESSAGES | {"sockjs", "sockjs/client", "web/client", "web/tls"}
BRIDGE = CLIENT | {"client", "config", "bridge", "bridge/config"}
ALLOWED = {
    "errors": {"support"},
    "support": {"errors"},
    "address": {"errors"},
    "jsontext": {"errors"},
    "messages": BASE,
    "actions": BASE,
    "web/tls": BASE,
    "config": BASE | {"web/tls"},
    "web/client": BASE | {"web/tls"},
    "web/server": BASE,
    "sockjs": BASE,
    "sockjs/client": BASE | {"sockjs", "web/client", "web/tls"},
    "sockjs/server": BASE | {"sockjs", "web/server"},
    "client": CLIENT,
    "server": MESSAGES | {"sockjs", "sockjs/server", "web/server", "server/store", "server/ops"},
    "server/store": BASE | {"web/tls"},
    "server/ops": MESSAGES | {"server", "web/server"},
    "bridge": BRIDGE | {"bridge/http", "bridge/wamp", "bridge/webhooks"},
    "bridge/config": BRIDGE | {"bridge/wamp", "web/server"},
    "bridge/http": BRIDGE | {"web/server"},
    "bridge/wamp": BRIDGE,
    "bridge/webhooks": BRIDGE,
    "tap": BRIDGE | {"server", "server/ops", "server/store", "web/server"},
    "cli": BRIDGE | {"bridge/webhooks"},
    "testing": CLIENT | {"client", "server"},
    "version": set(),
}
"""Each room of the package, and the rooms that it may import besides itself."""

FACES = {
    "": {"errors", "support", "version", "messages", "web/client", "web/tls", "client"},
    "sockjs": {"sockjs/client", "sockjs/server", "web/server"},
}
"""What the ``__init__`` of a room may import as well, to give it to users."""

CONFINED = {
    "autobahn": ["sockjs/*_websocket.py", "bridge/wamp/*.py"],
    "txaio": ["sockjs/*_websocket.py", "bridge/wamp/*.py"],
    "treq": ["web/client/http_client.py"],
    "h11": ["web/client/http*.py"],
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
    """The room that a module belongs to: its folder, or itself at the top."""
    folder = path.parent.as_posix()
    if folder != ".":
        return folder
    return "" if path.stem == "__init__" else path.stem


def target(name: str) -> Path | None:
    """The module of ours that an imported name is, or is in; None for others'."""
    first, *parts = name.split(".")
    if first != "txtokensock":
        return None
    while parts:
        path = Path(*parts)
        if (ROOT / path.with_suffix(".py")).is_file():
            return path.with_suffix(".py")
        if (ROOT / path / "__init__.py").is_file():
            return path / "__init__.py"
        parts.pop()
    return Path("__init__.py")


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The groups of nodes that lead to each other, each sorted."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for there in set(graph.get(waiting.pop(), ())) - seen:
                seen.add(there)
                waiting.append(there)
        return seen

    all_reached = {node: reached(node) for node in graph}
    found = {
        tuple(sorted(other for other in all_reached[node] if node in all_reached.get(other, ())))
        for node in graph
        if node in all_reached[node]
    }
    return [list(circle) for circle in sorted(found)]


class ImportLawTests(SynchronousTestCase):
    """The law."""

    def test_directions(self) -> None:
        """No room imports one above it; client and server never import each other."""
        broken = []
        for path, tree in modules():
            here = room(path)
            allowed = {here, *ALLOWED.get(here, ())}
            if path.name == "__init__.py":
                allowed |= FACES.get(here, set())
            for name, _ in imported(path, tree):
                found = target(name)
                if found is not None and room(found) not in allowed:
                    broken.append(f"{path} imports {name}")
        self.assertEqual(broken, [])

    def test_no_circles(self) -> None:
        """No module needs one that needs it, also not for its types alone."""
        graph: dict[str, set[str]] = {}
        for path, tree in modules():
            if path.name != "__init__.py":
                targets = {target(name) for name, _ in imported(path, tree)}
                graph[path.as_posix()] = {
                    there.as_posix()
                    for there in targets
                    if there is not None and there.name != "__init__.py" and there != path
                }
        self.assertEqual(circles(graph), [])

    def test_circles_are_found(self) -> None:
        """The test itself: a circle is found, and what only leads to it is not in it."""
        graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str](), "e": {"d"}}
        self.assertEqual(circles(graph), [["b", "c"]])

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
        self.assertEqual(target("txtokensock.errors.A"), Path("errors.py"))
        self.assertEqual(target("txtokensock.client.socket.b"), Path("client/socket.py"))
        self.assertEqual(target("txtokensock.client.b"), Path("client/__init__.py"))
        self.assertIsNone(target("treq.client"))


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
            *("InvalidData", "InvalidOption", "MessageTooLarge", "NetworkError", "PeerError"),
            *("PeerSilent", "ProxyRefused", "QueueFull", "RemoteError", "SockJSClosed"),
            *("SockJSRefused", "SubscriptionEnded"),
            *("TLSFailed", "TokenError", "TokenInvalid", "TokenRefused", "TokenServerError"),
            *(
                "TokenSocketError",
                "TokenUnreachable",
                "UnexpectedData",
                "UnsolicitedError",
                "UsageError",
            ),
        }
        own = {"AnnouncedLimits", "Backoff", "Gap", "Subscription", "TLSPolicy", "Timeouts"}
        own.add("TokenSocket")
        self.assertEqual(set(txtokensock.__all__), errors | own)
        self.assertEqual(txtokensock.__all__, sorted(txtokensock.__all__))

    def test_exist(self) -> None:
        """Every module's ``__all__`` names what there is."""
        for package in ("", ".sockjs", ".client.socket", ".errors", ".jsontext", ".testing"):
            module = import_module(f"txtokensock{package}")
            for name in module.__all__:
                self.assertTrue(hasattr(module, name), f"{package}.{name}")

    def test_types_and_values_agree(self) -> None:
        """What type checkers read of a lazy package is what programs get."""
        for package, more in (("", {"__version__"}), (".sockjs", set[str]())):
            module = import_module(f"txtokensock{package}")
            path = Path(module.__file__ or "")
            tree = ast.parse(path.read_text(encoding="utf-8"))
            [typed] = [node for node in tree.body if isinstance(node, ast.If)]
            names = set()
            for imports in typed.body:
                assert isinstance(imports, ast.ImportFrom), ast.dump(imports)
                home = import_module("." * imports.level + (imports.module or ""), module.__name__)
                for alias in imports.names:
                    self.assertIs(getattr(module, alias.name), getattr(home, alias.name))
                    names.add(alias.name)
            self.assertEqual(names, set(module.__all__))
            self.assertLessEqual(names | more, set(dir(module)))

    def test_unknown_name(self) -> None:
        """A name that there is not fails as with any module."""
        with self.assertRaisesRegex(ImportError, "cannot import name 'TokenSokcet'"):
            exec("from txtokensock import TokenSokcet")
        with self.assertRaisesRegex(AttributeError, "module 'txtokensock' has no attribute 'x'"):
            getattr(txtokensock, "x")  # noqa: B009

    def test_pickle(self) -> None:
        """Errors and settings can be copied and sent to other processes."""
        for value in (txtokensock.Timeouts(token=5), txtokensock.Backoff):
            self.assertEqual(pickle.loads(pickle.dumps(value)), value)


class LoadingTests(SynchronousTestCase):
    """What is loaded with a part of the package."""

    def loaded(self, source: str) -> set[str]:
        """The modules and packages that are there when a process has run this."""
        source += "\nimport sys\nprint(*sys.modules)"
        run = subprocess.run([sys.executable, "-c", source], capture_output=True, check=True)
        return set(run.stdout.decode().split())

    def test_package(self) -> None:
        """By itself the package loads nothing, so that the command starts at once."""
        loaded = self.loaded("import txtokensock")
        self.assertEqual(loaded & {"twisted", "msgspec", "treq", "autobahn"}, set())

    def test_client(self) -> None:
        """The client loads no server, no bridge, and nothing that only these need."""
        loaded = self.loaded(
            "from txtokensock import *\nfrom txtokensock.sockjs import SockJSClientEndpoint"
        )
        self.assertIn("txtokensock.client.socket", loaded)
        self.assertEqual(
            loaded
            & {
                *(f"txtokensock.{room}" for room in ("server", "bridge", "tap", "cli")),
                "txtokensock.sockjs.server",
                "twisted.internet.reactor",
                *("prometheus_client", "sqlite3", "tomllib", "txredisapi"),
            },
            set(),
        )

    def test_server(self) -> None:
        """Nor does the server load a client."""
        loaded = self.loaded("from txtokensock.server import TokenSocketServer")
        self.assertIn("txtokensock.sockjs.server", loaded)
        self.assertEqual(
            loaded & {f"txtokensock.{room}" for room in ("client", "sockjs.client", "bridge")},
            set(),
        )
