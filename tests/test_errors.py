"""
Errors: their tree, their texts, and the secrets that they keep.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
import re
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

import txtokensock
from txtokensock import errors
from txtokensock.bridge.error_table import ErrorKind
from txtokensock.errors import (
    ActionError,
    AllHostsFailed,
    AttemptTimeout,
    AuthenticationRefused,
    CallTimeout,
    ClientClosed,
    ConnectionFailed,
    ConnectionLost,
    Forbidden,
    FunctionNotFound,
    InvalidData,
    NetworkError,
    PeerError,
    RemoteError,
    SessionLost,
    SockJSClosed,
    TokenRefused,
    TokenServerError,
    TokenSocketError,
    UsageError,
    remote_error,
    shorten,
)
from txtokensock.server.close_codes import CloseCode

from .common import ServerTestCase

SECRET = "s3cret"


class TreeTests(SynchronousTestCase):
    """The order of the errors."""

    def test_one_tree(self) -> None:
        """Whose move is next is told by one of three branches."""
        kinds = [getattr(errors, name) for name in errors.__all__]
        own = [kind for kind in kinds if inspect.isclass(kind)]
        for kind in set(own) - {SessionLost, SockJSClosed, TokenSocketError, ActionError}:
            branches = [b for b in (UsageError, PeerError, NetworkError) if issubclass(kind, b)]
            self.assertEqual(len(branches), 1, kind)
        self.assertTrue(issubclass(SockJSClosed, ConnectionDone))

    def test_builtin_kinds(self) -> None:
        """They are what they are in Python, too."""
        self.assertTrue(issubclass(CallTimeout, TimeoutError))
        self.assertTrue(issubclass(AttemptTimeout, (TimeoutError, ConnectionFailed)))
        self.assertTrue(issubclass(InvalidData, ValueError))

    def test_documented(self) -> None:
        """Each says what it means, and all are exported."""
        for name, kind in vars(errors).items():
            if inspect.isclass(kind) and kind.__module__ == errors.__name__:
                self.assertTrue(kind.__doc__, name)
                self.assertIn(name, errors.__all__)

    def test_the_tree_is_whole(self) -> None:
        """The tree at the top of the module names every class."""
        named = set(re.findall(r"\w+", errors.__doc__ or ""))
        kinds = {name for name in errors.__all__ if inspect.isclass(getattr(errors, name))}
        self.assertEqual(kinds - named, set())


class TextTests(SynchronousTestCase):
    """What they say."""

    def test_readable(self) -> None:
        """An error of any JSON type has a text; objects show their message."""
        for error, text in (
            ("oops", "oops"),
            ("two\nlines", "two lines"),
            (5, "5"),
            ({"message": "bad"}, "bad"),
            ({"error": "worse"}, "worse"),
            ({"reason": "because"}, "because"),
            ({"message": 5}, "{'message': 5}"),
            ([1, 2], "[1, 2]"),
            ({}, "{}"),
        ):
            self.assertEqual(str(RemoteError(error)), text)
            self.assertEqual(str(RemoteError(error, "rpc 'f'")), f"rpc 'f': {text}")

    def test_shorten(self) -> None:
        """One line, at most 200 characters."""
        self.assertEqual(shorten("a\r\n\tb"), "a b")
        self.assertEqual(len(shorten("x" * 1000)), 200)
        self.assertEqual(len(shorten("x" * 200)), 200)

    def test_remote_errors(self) -> None:
        """The two texts that have a class, and nothing like them."""
        self.assertIs(type(remote_error("Function not found")), FunctionNotFound)
        self.assertIs(type(remote_error("Forbidden")), Forbidden)
        for other in ("forbidden", "Forbidden!", {"message": "Forbidden"}, ["Forbidden"]):
            self.assertIs(type(remote_error(other)), RemoteError)

    def test_attributes(self) -> None:
        """What a program needs is an attribute."""
        self.assertEqual(TokenRefused("no", 403).status, 403)
        self.assertEqual(TokenRefused("no", 403).phase, "token")
        self.assertEqual(AuthenticationRefused({"a": 1}).error, {"a": 1})
        self.assertEqual(AuthenticationRefused("no").phase, "auth")
        self.assertTrue(ConnectionLost("x").may_have_run)
        closed = SockJSClosed(3000, "Go\naway")
        self.assertEqual((closed.code, closed.reason), (3000, "Go\naway"))
        self.assertEqual(str(closed), "SockJS session closed: 3000 Go away")

    def test_phases(self) -> None:
        """A deadline names what was waited for."""
        for phase in ("token", "connect", "handshake", "open", "auth"):
            error = AttemptTimeout(phase, 2.5)  # type: ignore[arg-type]
            self.assertIn("within 2.5 seconds", str(error))
            self.assertEqual(error.phase, phase)

    def test_all_hosts_failed(self) -> None:
        """One line that names each host; it is permanent where all are."""
        moved, refused = TokenServerError("moved", 301), TokenRefused("no\nentry", 403)
        error = AllHostsFailed({"a": moved, "b": refused})
        self.assertEqual(str(error), "no host could be connected to: a: moved; b: no entry")
        self.assertEqual(list(error.errors.items()), [("a", moved), ("b", refused)])
        self.assertIs(error.__cause__, refused)
        self.assertEqual(error.phase, "token")
        self.assertFalse(error.permanent)
        self.assertTrue(AllHostsFailed({"a": moved, "b": moved}).permanent)
        self.assertEqual(AllHostsFailed({"a": OSError("x")}).phase, "connect")

    def test_action_errors(self) -> None:
        """What peers read as success is refused; what JavaScript takes for true is not."""
        for falsy in (None, 0, 0.0, False, ""):
            self.assertRaises(InvalidData, ActionError, falsy)
        for error in ("x", 1, [], {}, [0], True):
            self.assertEqual(ActionError(error).error, error)


class SecretTests(ServerTestCase):
    """Tokens, credentials, cookies and queries reach no text."""

    def test_every_failure(self) -> None:
        """The errors of all failures, the log, and the reprs, with secrets everywhere."""
        logged: list[str] = []

        def observe(event: Any) -> None:
            logged.append(formatEvent(event))
            logged.append(str({k: v for k, v in event.items() if k != "log_source"}))

        from twisted.logger import formatEvent, globalLogPublisher

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        texts: list[str] = []
        for phase in ("token_connect", "token", "connect", "handshake", "open", "auth"):
            for step in ("refuse", "drop", "garbage", "ignore"):
                if phase.endswith("connect") and step in ("drop", "garbage"):
                    continue
                self.server.script(**{phase: step})
                client = self.client(
                    authentication={"password": SECRET},
                    headers={"Cookie": f"sid={SECRET}", "Authorization": SECRET},
                )
                failed = client.when_ready(fail_after=1)
                client.startService()
                self.advance(60)
                error = self.failure(failed)
                while error is not None:
                    texts += [str(error), repr(error)]
                    error = error.__cause__
                texts += [repr(client), repr(client._service), repr(client._core)]
                client.end()
                self.settle()
        tokens = [s.messages[0]["token"] for s in self.server.sessions if s.messages]
        self.assertTrue(tokens)
        for secret in (SECRET, "password", *tokens):
            for text in [*texts, *logged]:
                self.assertNotIn(secret, text)


def all_kinds() -> set[type[Exception]]:
    """Every class of exception in the package."""
    kinds = set()
    for module in pkgutil.walk_packages(txtokensock.__path__, "txtokensock."):
        if not module.name.endswith("__main__"):
            for value in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(value) and issubclass(value, Exception):
                    kinds.add(value)
    return {kind for kind in kinds if kind.__module__.startswith("txtokensock.")}


class TravelTests(SynchronousTestCase):
    """Exceptions are copied, and sent to other processes."""

    ARGUMENTS: dict[str, Any] = {
        "close_code": CloseCode(4413, "too large"),
        "code": 4413,
        "error": {"message": "locked", "code": 7},
        "errors": {"a": TokenRefused("no", 403, 2.5, "why"), "b": TokenServerError("x", 503)},
        "holds": {"a": 3.0},
        "kind": ErrorKind.FORBIDDEN,
        "kwargs": {"a": 1},
        "limit": 4096,
        "may_have_run": True,
        "permanent": True,
        "phase": "auth",
        "problems": ["a", "b"],
        "raised": SystemExit(5),
        "retry_after": 2.5,
        "seconds": 1.5,
        "status": 403,
    }

    def example(self, kind: type[Exception]) -> Exception:
        """One with every argument that its class takes, and an attribute set later."""
        try:
            parameters = dict(inspect.signature(kind).parameters)
        except ValueError:  # none but that of a built-in exception
            parameters = dict(inspect.signature(lambda text: text).parameters)
        positional, keywords = [], {}
        for name, parameter in parameters.items():
            value = self.ARGUMENTS.get(name, "text")
            if parameter.kind is parameter.KEYWORD_ONLY:
                if name in self.ARGUMENTS:
                    keywords[name] = value
            elif parameter.kind is not parameter.VAR_KEYWORD:
                positional.append(value)
        error = kind(*positional, **keywords)
        error.retry_in = 0.25  # type: ignore[attr-defined]
        return error

    def test_every_kind(self) -> None:
        """They keep their class, text, arguments and attributes, and say nothing twice."""
        kinds = all_kinds()
        self.assertGreater(len(kinds), 40)
        for kind in kinds:
            error = self.example(kind)
            for travelled in (
                copy.copy(error),
                copy.deepcopy(error),
                *(pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)),
            ):
                self.assertIsNot(travelled, error)
                self.assertIs(type(travelled), kind)
                self.assertEqual(str(travelled), str(error))
                self.assertEqual(repr(travelled.args), repr(error.args))
                self.assertEqual(repr(vars(travelled)), repr(vars(error)))

    def test_causes(self) -> None:
        """A cause of ours goes along; another's, which may not be able to, stays."""
        closed = ClientClosed("gave up")
        closed.__cause__ = TokenRefused("no", 403)
        travelled = pickle.loads(pickle.dumps(closed))
        self.assertEqual(travelled.__cause__.status, 403)
        closed.__cause__ = ValueError(lambda: None)
        self.assertIsNone(pickle.loads(pickle.dumps(closed)).__cause__)


class ClientClosedTests(SynchronousTestCase):
    """One error for all who wait, and an object of its own for each."""

    def test_copy(self) -> None:
        """A copy says the same, for the same cause, and is another object."""
        closed = ClientClosed("the client gave up")
        closed.__cause__ = ValueError("the last attempt")
        copied = closed.copy()
        self.assertIsNot(copied, closed)
        self.assertIs(type(copied), ClientClosed)
        self.assertEqual((str(copied), copied.__cause__), ("the client gave up", closed.__cause__))

    def test_again(self) -> None:
        """The old name of ``copy`` is there for one release, and warns."""
        self.assertEqual(str(ClientClosed("stopped").again()), "stopped")
        (warning,) = self.flushWarnings([self.test_again])
        self.assertEqual(warning["category"], DeprecationWarning)
