"""
Headers that a user may set.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txtokensock import TokenSocket
from txtokensock.errors import InvalidOption
from txtokensock.web.client.headers import check_headers


class CheckTests(SynchronousTestCase):
    """What would break the connection is refused at once."""

    def test_of_the_wire(self) -> None:
        """Headers that only the connection may set; the error names them."""
        for name in (
            *("Connection", "upgrade", "Keep-Alive", "Proxy-Connection", "TE", "Trailer"),
            *("Transfer-Encoding", "content-length", "Expect", "HTTP2-Settings"),
            *("Sec-WebSocket-Key", "sec-websocket-protocol", "Sec-WebSocket-Anything"),
        ):
            error = self.assertRaises(InvalidOption, TokenSocket, headers={name: "1"})
            self.assertIn(name, str(error))

    def test_twice(self) -> None:
        """Names differ in more than their case."""
        self.assertRaises(InvalidOption, check_headers, {"X-A": "1", "x-a": "2"})

    def test_others(self) -> None:
        """All others are the user's, the host and the origin among them."""
        headers = {"Host": "a.test", "Origin": "https://a.test", "X-Upgrade": "1", "Cookie": "a=b"}
        self.assertEqual(check_headers(headers), headers)
