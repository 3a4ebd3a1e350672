"""
Options that change while the server runs.
"""

from __future__ import annotations

import json

from txtokensock.errors import InvalidOption
from txtokensock.server import Limits

from .support import ServerTestCase

PAGE = {"Host": "server.test", "Origin": "https://app.test"}


class ReconfigureTests(ServerTestCase):
    """``TokenSocketServer.reconfigure``."""

    def test_limits(self) -> None:
        """They hold for peers that connect from then on; who is there keeps those it has."""
        server = self.serve(limits={"channels": 2})
        before = server.authenticated()
        server.service.reconfigure(limits=Limits(channels=1, message_size=100))
        after = server.authenticated()
        for client, allowed in ((before, "ab"), (after, "a")):
            client.subscribe(*allowed)
            refused = client.rpc("_subscribe", {"channel": "c"})
            self.assertIn("Too many channels", refused["error"])
        self.assertIn("the limit message_size is 100", str(after.ask({"rpc": "x" * 100})))

    def test_origins(self) -> None:
        """Pages are let in and refused, by the token route and SockJS alike."""
        server = self.serve()
        for origins, status in ((None, 403), (["https://app.test"], 200), ([], 403)):
            server.service.reconfigure(allowed_origins=origins)
            for path in ("/socket/token", "/sockets/info"):
                self.assertEqual(server.get(path, **PAGE).status, status, (path, origins))

    def test_proxies(self) -> None:
        """A proxy's word is taken from then on."""
        server = self.serve()
        server.service.reconfigure(trusted_proxies=["10.0.0.1"])
        server.client(X_Forwarded_For="203.0.113.7").ask(
            {"rpc": "auth", "token": server.token(), "uuid": "1"}
        )
        (peer,) = server.service.peers()
        self.assertEqual(peer.address.host, "203.0.113.7")

    def test_limits_for(self) -> None:
        """Another function decides, or none."""
        server = self.serve()
        for calls in (7, 8):
            server.service.reconfigure(limits_for=lambda _, n=calls: Limits(calls=n))
            server.authenticated()
            self.assertEqual(server.service.peers()[-1].limits.calls, calls)
        server.service.reconfigure()
        server.authenticated()
        self.assertEqual(server.service.peers()[-1].limits, Limits())

    def test_rates(self) -> None:
        """Token requests, and the site's own limits, which every site of the server has."""
        server = self.serve()
        site = server.service.site()
        server.service.reconfigure(
            limits=Limits(token_burst=1, body_rate=7), trusted_proxies=["10.0.0.9"]
        )
        statuses = [server.get("/socket/token").status for _ in range(2)]
        self.assertEqual(statuses, [200, 429])
        self.assertEqual(site.limits.body_rate, 7)
        self.assertIs(site.trusted_proxies, server.service.trusted_proxies)

    def test_sockjs(self) -> None:
        """Options of SockJS, also after the next start of the service."""
        server = self.serve()
        self.assertEqual(json.loads(server.get("/sockets/info").body)["websocket"], True)
        server.service.reconfigure(sockjs={"websocket": False})
        self.assertEqual(json.loads(server.get("/sockets/info").body)["websocket"], False)
        self.successResultOf(server.service.stopService())
        server.service.startService()
        self.assertEqual(json.loads(server.get("/sockets/info").body)["websocket"], False)

    def test_all_or_nothing(self) -> None:
        """An option that is not valid leaves the others as they were."""
        server = self.serve(limits={"channels": 2})
        for wrong in (
            {"allowed_origins": ["app.test"]},
            {"allowed_hosts": "a"},
            {"trusted_proxies": ["x"]},
            {"sockjs": {"heartbeat": 0}},
            {"sockjs": {"sockjs_client_file": "missing"}},
            {"limits_for": 3},
        ):
            self.assertRaises(
                InvalidOption, server.service.reconfigure, limits=Limits(channels=5), **wrong
            )
            server.authenticated()
            self.assertEqual(server.service.peers()[-1].limits.channels, 2)
