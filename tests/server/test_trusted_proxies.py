"""
A server behind a proxy: its peers, limits and origins are those of the clients.
"""

from __future__ import annotations

import json
from typing import Any

from txtokensock.errors import InvalidOption
from txtokensock.server import TokenSocketServer

from .support import Client, ServerTestCase

PROXY = "10.0.0.1"


class TrustedProxiesTests(ServerTestCase):
    """``trusted_proxies``, in a site of somebody else's."""

    def peer(self, client: str, proxy: str = PROXY) -> Client:
        """A session that a proxy opens for a client."""
        return self.server.client(proxy, X_Forwarded_For=client)

    def start(self, **options: Any) -> None:
        """A server that trusts the proxy."""
        self.server = self.serve(trusted_proxies=[PROXY], **options)

    def test_address(self) -> None:
        """A peer's address is the client's; its session's and the token request's, too."""
        asked: list[Any] = []

        def authenticate(request: Any) -> bool:
            asked.append(request.getClientAddress().host)
            return True

        self.start(authentication=authenticate)
        client = self.peer("203.0.113.7")
        response = self.server.get("/socket/token", X_Forwarded_For="203.0.113.8")
        token = json.loads(response.body)["token"]
        client.ask({"rpc": "auth", "token": token, "uuid": "1"})
        (peer,) = self.server.service.peers()
        self.assertEqual((peer.address.host, asked), ("203.0.113.7", ["203.0.113.8"]))

    def test_limits(self) -> None:
        """Each client has its own; a proxy that is not known is one client."""
        self.start(limits={"peers_per_address": 2})
        clients = [self.peer(f"203.0.113.{number}") for number in range(10)] + [
            self.peer("203.0.113.1")
        ]
        self.assertEqual([client.received() for client in clients], [[]] * 11)
        self.assertTrue(self.peer("203.0.113.1").closed)
        strangers = [self.peer(f"203.0.113.{number}", "10.0.0.2") for number in range(3)]
        self.assertEqual([bool(each.closed) for each in strangers], [False, False, True])

    def test_origins(self) -> None:
        """A page of the host and scheme that the client asked the proxy for is the server's."""
        self.start()
        for origin, scheme, status in (
            ("https://app.example", "https", 200),
            ("https://app.example", "http", 403),
            ("http://app.example", "https", 403),
            ("http://app.example", "http", 200),
            ("https://app.example:443", "https", 200),
            ("https://evil.example", "https", 403),
        ):
            headers = {
                "Host": "app.example",
                "Origin": origin,
                "X_Forwarded_For": "203.0.113.7",
                "X_Forwarded_Proto": scheme,
            }
            for path in ("/socket/token", "/sockets/info"):
                answer = self.server.get(path, **headers)
                self.assertEqual(answer.status, status, (path, origin, scheme))

    def test_sockjs_option(self) -> None:
        """The SockJS server can have others."""
        self.start(sockjs={"trusted_proxies": ()}, limits={"peers_per_address": 1})
        self.assertFalse(self.peer("203.0.113.1").closed)
        self.assertTrue(self.peer("203.0.113.2").closed)

    def test_wrong(self) -> None:
        """What is not a network is refused at once."""
        for wrong in ("10.0.0.1", ["10.0.0.0/33"]):
            with self.assertRaises(InvalidOption):
                TokenSocketServer(lambda request: True, trusted_proxies=wrong)
