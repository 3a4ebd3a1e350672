"""Whatever comes in over HTTP is answered, and nothing is raised or logged as our mistake."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher

from tests.kit.examples import examples

from .support import HttpTestCase

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["rpc", "procedure", "channel", "topic", "data", "args", "kwargs", "options", "timeout", "x"]
)
POSTS = ("/call", "/publish", "/broadcast")
BODIES = st.one_of(
    st.binary(max_size=50),
    st.dictionaries(FIELDS, VALUES | st.just("f"), max_size=4).map(
        lambda body: json.dumps(body).encode()
    ),
)
QUERIES = st.dictionaries(
    st.sampled_from(["key", "timestamp", "seq", "nonce", "signature", "channel"]),
    st.sampled_from(["1", "a", "", "%ff", "2026-01-01T00:00:00Z", "%00", "+"]),
)


class AnythingTests(HttpTestCase):
    """Requests made at random."""

    @examples(150, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(self, data: Any) -> None:
        """One request."""
        path = data.draw(
            st.sampled_from(["/call", "/publish", "/broadcast", "/readyz", "/metrics"])
        )
        query = "&".join(f"{name}={value}" for name, value in data.draw(QUERIES).items())
        headers = data.draw(
            st.dictionaries(
                st.sampled_from(["authorization", "idempotency-key", "content-type"]),
                st.sampled_from(["", "Bearer x", "application/json", "\xe9", "x" * 300]),
            )
        )
        body, method = data.draw(BODIES), "POST" if path in POSTS else "GET"
        reply = self.ask(f"{path}?{query}", body, method, headers=headers)
        self.assertIn(reply.status, (200, 202, 400, 401, 403, 409, 422, 503))
        if path != "/metrics" or reply.status != 200:
            self.assertIsInstance(reply.json, dict)

    def test_open(self) -> None:
        """Without keys."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve()
        self.server.respond = lambda session, message: session.answer(message, 1)
        self.check()
        self.assertEqual([event for event in logged if event.get("event") == "http.failed"], [])

    def test_keys(self) -> None:
        """With a key of each kind."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve(self.key("a", "x", metrics=True), self.key("1", "y", scheme="signed"))
        self.server.respond = lambda session, message: session.answer(message, 1)
        self.check()
        self.assertEqual([event for event in logged if event.get("event") == "http.failed"], [])
