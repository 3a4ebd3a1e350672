"""
JSON that is nested about as deep as the stack allows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from txtokensock.errors import RemoteError, UnsolicitedError

from ..common import Calls
from .support import RPCTestCase


def nested() -> Iterator[str]:
    """Lists and objects, from a little less deep than can be read to a little more."""
    for depth in range(sys.getrecursionlimit() - 300, sys.getrecursionlimit() + 10, 4):
        yield "[" * depth + "]" * depth
        yield '{"a":' * depth + "1" + "}" * depth


class DeepTests(RPCTestCase):
    """What can be read can also be handled; the rest is ignored."""

    def test_errors(self) -> None:
        """An error that a call is answered with fails the call, and nothing else."""
        failed = 0
        for error in nested():
            ignored = self.socket.ignored_messages
            call, request = self.call("f")
            self.session.send_text(f'{{"uuid":"{request["uuid"]}","error":{error}}}')
            self.settle()
            if self.socket.ignored_messages > ignored:
                self.pending(call)
                call.addErrback(lambda _: None)
            else:
                self.failure(call, RemoteError)
                failed += 1
        self.assertGreater(failed, 1)
        self.assertEqual(len(self.server.sessions), 1)

    def test_unsolicited_errors(self) -> None:
        """An error that nobody asked for, too."""
        errors = Calls()
        self.socket.on("error", errors)
        texts = list(nested())
        for error in texts:
            self.session.send_text(f'{{"error":{error}}}')
            self.settle()
        self.assertEqual(len(errors) + self.socket.ignored_messages, len(texts))
        self.assertIsInstance(errors[0], UnsolicitedError)
        self.assertEqual(len(self.server.sessions), 1)

    def test_calls(self) -> None:
        """A call of the server's is answered, if only with an error."""
        self.socket.register({"echo": lambda data: data})
        texts = list(nested())
        for data in texts:
            self.session.send_text(
                '{"internal":true,"command":"rpc","data":'
                f'{{"fid":"1","command":"echo","args":{data}}}}}'
            )
            self.settle()
        self.flushLoggedErrors()  # results too deep to be sent
        self.assertEqual(len(self.session.received) + self.socket.ignored_messages, len(texts))
        self.assertEqual(len(self.server.sessions), 1)
