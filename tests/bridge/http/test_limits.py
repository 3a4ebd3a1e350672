"""
What the server would not take is answered to the one who sent it, and is not sent.
"""

from __future__ import annotations

import gc
import json
from typing import Any

from txtokensock.errors import TokenSocketError

from .support import HttpTestCase

ADA = {"authorization": "Bearer s3cret"}
LIMITS = {"message_size": 1024 * 1024, "json_depth": 64, "channel_length": 256}


def nested(depth: int) -> Any:
    """Lists in lists."""
    data: Any = []
    for _ in range(depth - 1):
        data = [data]
    return data


class LimitTests(HttpTestCase):
    """With a server's usual limits."""

    def setUp(self) -> None:
        super().setUp()
        self.server.acks = True
        self.server.limits = LIMITS
        self.answers = {"f": 5, "_publish": "success", "_broadcast": "success"}
        key = self.key("ada", "s3cret", broadcast=True, channels=("news", "c*"))
        self.serve(key, body_limit=1024 * 1024)

    def status(self, path: str, body: Any, **headers: str) -> tuple[int, str]:
        """Status and URI of what is answered."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = self.ask(path, data, headers={**ADA, **headers})
        return reply.status, reply.json.get("error", "")

    def refused(self, path: str, body: Any, status: int, uri: str) -> None:
        """It is answered so, nothing is sent, and all others go on."""
        before = len(self.requests)
        self.assertEqual(self.status(path, body), (status, uri))
        self.assertEqual(len(self.requests), before)
        self.assertTrue(self.upstream.connected)
        self.assertEqual(self.status("/call", {"rpc": "f"}), (200, ""))

    def test_size(self) -> None:
        """A body just under 1 MiB is more with what goes around it."""
        for size, fits in ((1024 * 1024 - 200, True), (1024 * 1024 - 20, False)):
            body = b'{"channel":"news","data":"' + b"x" * (size - 28) + b'"}'
            self.assertEqual(len(body), size)
            if fits:
                self.assertEqual(self.status("/publish", body), (202, ""))
            else:
                self.refused("/publish", body, 413, "tokensock.error.too_large")
                call = body.replace(b'"channel":"news"', b'"rpc":"' + b"f" * 9 + b'"')
                self.refused("/call", call, 413, "tokensock.error.too_large")
        self.assertEqual(self.count("ada/publish", "refused"), 1)

    def test_refused_leaves_nothing(self) -> None:
        """
        A body that is refused goes with its answer: no error is in a frame of its own traceback,
        which would keep the body, too, until the garbage collector comes by.
        """
        body = b'{"channel":"news","data":"' + b"x" * (1024 * 1024 - 48) + b'"}'
        self.addCleanup(gc.enable)
        gc.collect()
        gc.disable()
        for _ in range(3):
            self.refused("/publish", body, 413, "tokensock.error.too_large")
        left = [each for each in gc.get_objects() if isinstance(each, TokenSocketError)]
        self.assertEqual(left, [])

    def test_escapes(self) -> None:
        """Characters may take more bytes than in the body, as the server counts them."""
        self.server.limits = {"message_size": 1000, "frame_size": 1000}
        self.session.drop()
        self.advance(1)
        fits = {"rpc": "f", "data": "x" * 900}
        self.assertEqual(self.status("/call", fits), (200, ""))
        self.refused("/call", {"rpc": "f", "data": '"' * 300}, 413, "tokensock.error.too_large")

    def test_depth(self) -> None:
        """Data 100 deep; the message around them counts."""
        for path, name, around in (
            ("/call", {"rpc": "f"}, 1),
            ("/publish", {"channel": "news"}, 2),
            ("/broadcast", {}, 2),
        ):
            fits = {**name, "data": nested(64 - around)}
            self.assertLess(self.status(path, fits)[0], 300)
            for depth in (64 - around + 1, 100):
                body = {**name, "data": nested(depth)}
                self.refused(path, body, 400, "wamp.error.invalid_argument")

    def test_channel(self) -> None:
        """A channel of 300 characters, published to and listened to; bytes count."""
        for name in ("c" * 300, "c" * 257, "c" + "é" * 128):
            body = {"channel": name, "data": 1}
            self.refused("/publish", body, 400, "wamp.error.invalid_argument")
            reply = self.get(f"/events?channel={name}&channel=news", ADA)
            self.assertEqual(reply.error[:2], (400, "wamp.error.invalid_argument"))
            self.assertIn("channel_length is 256", reply.error[2])
            self.assertEqual(self.upstream.channels(), [])
        self.assertEqual(self.status("/publish", {"channel": "c" * 256, "data": 1}), (202, ""))

    def test_idempotent(self) -> None:
        """A refusal is no answer to a key; what was changed since is another request."""
        body = {"rpc": "f", "data": nested(100)}
        key = {"idempotency-key": "k"}
        for _ in range(2):
            self.assertEqual(self.status("/call", body, **key)[0], 400)
        self.assertEqual(self.status("/call", {"rpc": "f"}, **key), (200, ""))

    def test_waited(self) -> None:
        """A publish that waited, and that the server does not take, is counted."""
        self.session.drop()
        self.settle()
        body = {"channel": "news", "data": nested(100)}
        self.assertEqual(self.status("/publish", body), (202, ""))
        self.advance(1)
        self.assertTrue(self.upstream.connected)
        self.assertEqual(self.count("ada/publish", "dropped"), 1)
        self.assertEqual(self.asked("_publish"), [])
