"""
What a server repeats of what it must not.
"""

from __future__ import annotations

from typing import Any

from txtokensock.errors import AuthenticationRefused
from txtokensock.testing import ScriptedSession

from ..common import ServerTestCase


class RepeatedTokenTests(ServerTestCase):
    """A server may quote the token that it refuses: errors and logs do not."""

    def test_refusal(self) -> None:
        """In a text, in an object, and in what can only be shown as it is."""
        for wrap in (
            lambda token: f"no such token: {token}!",
            lambda token: {"message": f"{token} has expired", "token": token},
            lambda token: [{"token": token}],
        ):
            errors: list[Any] = []

            def refuse(session: ScriptedSession, wrap: Any = wrap, errors: Any = errors) -> None:
                errors.append(wrap(session.auth_request["token"]))
                session.refuse(session.auth_request, errors[0])

            self.server.script(auth=refuse)
            client = self.client()
            ready = client.when_ready(fail_after=1)
            client.startService()
            self.settle()
            problem = self.failure(ready, AuthenticationRefused)
            self.assertNotIn(self.session.auth_request["token"], str(problem) + repr(problem))
            self.assertIn("<token>", str(problem))
            self.assertEqual(problem.error, errors[0])
            client.end()
            self.settle()
