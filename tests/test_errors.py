"""
Errors: their tree, their texts, and the secrets that they keep.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import errors
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
    SockJSClosed,
    TokenRefused,
    TokenServerError,
    TokenSocketError,
    UsageError,
    remote_error,
    shorten,
)

from .common import ServerTestCase

SECRET = "s3cret"


class TreeTests(SynchronousTestCase):
    """The order of the errors."""

    def test_one_tree(self) -> None:
        """Whose move is next is told by one of three branches."""
        kinds = [getattr(errors, name) for name in errors.__all__]
        own = [kind for kind in kinds if inspect.isclass(kind)]
        for kind in set(own) - {SockJSClosed, TokenSocketError, ActionError}:
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
