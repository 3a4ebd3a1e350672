"""
Every SockJS frame and every WebSocket frame of the tables, before and after ``auth``.
"""

from __future__ import annotations

from typing import Any

from tests.kit.tables import each

from .carriers import WebSocket, Xhr
from .cases_frames import FRAMES, WIRE, FrameCase, WireCase
from .stage import AS_AFTER_AUTH, HostileTestCase

BROKEN_FRAMING = (3000, "Broken framing.")
NOT_UTF8 = (1007, "a text message that is not UTF-8")
TWICE = {"before": False, "after": True}


def _violation(body: bytes) -> tuple[int, str]:
    """Code and reason for a WebSocket message that is no SockJS frame, or no text at all."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    return BROKEN_FRAMING


class _SessionTests(HostileTestCase):
    options = AS_AFTER_AUTH

    def session(self, carrier: Any, *, authenticated: bool) -> Any:
        """A session of the attacker's."""
        return self.stage.authenticated_over(carrier) if authenticated else carrier(self.stage)


@each({f"{c.name}_{when}": (c, auth) for when, auth in TWICE.items() for c in FRAMES})
class WebSocketFrameTests(_SessionTests):
    """SockJS frames over a WebSocket."""

    def run_case(self, case: FrameCase, authenticated: bool) -> None:
        """What is no frame closes the WebSocket, at once and without more."""
        self.attack(case, self.session(WebSocket, authenticated=authenticated))
        self.survived()

    def attack(self, case: FrameCase, session: WebSocket) -> None:
        session.body(case.body)
        self.assertEqual(session.texts(), ['{"error":"Invalid message"}'] * case.answers)
        self.assertIsNone(session.closed)
        self.assertEqual(session.websocket_closed, _violation(case.body) if case.broken else None)
        if not case.broken:
            session.leave()


@each({f"{c.name}_{when}": (c, auth) for when, auth in TWICE.items() for c in FRAMES})
class XhrFrameTests(_SessionTests):
    """SockJS frames over xhr_send."""

    def run_case(self, case: FrameCase, authenticated: bool) -> None:
        """What is no frame is answered with 500, and the session goes on."""
        self.attack(case, self.session(Xhr, authenticated=authenticated))
        self.survived()

    def attack(self, case: FrameCase, session: Xhr) -> None:
        response = session.body(case.body)
        self.assertEqual(response.status, case.status)
        self.assertEqual(response.body, b"Broken JSON encoding." if case.broken else b"")
        self.assertEqual(session.texts(), ['{"error":"Invalid message"}'] * case.answers)
        session.send("{")
        self.assertEqual(session.texts(), ['{"error":"Invalid message"}'])
        session.leave()

    def test_empty_body(self) -> None:
        """Nothing at all is no frame either."""
        session = Xhr(self.stage)
        response = session.body(b"")
        self.assertEqual((response.status, response.body), (500, b"Payload expected."))
        del session
        self.survived()

    def test_too_large(self) -> None:
        """413, and the session goes on."""
        session = Xhr(self.stage)
        self.assertEqual(session.body(b'"' + b"x" * 4 * 1024 * 1024 + b'"').status, 413)
        session.send("{")
        self.assertEqual(session.texts(), ['{"error":"Invalid message"}'])
        del session
        self.survived()


@each({f"{c.name}_{when}": (c, auth) for when, auth in TWICE.items() for c in WIRE})
class WireTests(_SessionTests):
    """WebSocket frames."""

    def run_case(self, case: WireCase, authenticated: bool) -> None:
        """
        A violation is answered with its code, and the connection ended: also if the
        attacker says nothing more, and keeps its own end open.
        """
        self.attack(case, self.session(WebSocket, authenticated=authenticated))
        self.survived()

    def attack(self, case: WireCase, session: WebSocket) -> None:
        session.client.connection.send(case.data)
        session.texts()
        closed = session.websocket_closed
        self.assertEqual(None if closed is None else closed[0], case.code)
        self.assertIsNone(session.closed)
