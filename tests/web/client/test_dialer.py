"""
Which endpoint connects.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import URI
from zope.interface import implementer

from txtokensock import TLSPolicy, TokenSocket
from txtokensock.errors import InvalidOption
from txtokensock.web.client.dialer import Dialer

from ...common import Calls


@implementer(IHostnameResolver)
class _Names:
    """Finds the same addresses for each name, which it notes."""

    def __init__(self, asked: list[str], found: list[str]) -> None:
        self._asked = asked
        self._found = found

    def resolveHostName(
        self, receiver: Any, hostName: str, portNumber: int = 0, *_: object, **__: object
    ) -> Any:
        self._asked.append(hostName)
        receiver.resolutionBegan(None)
        for host in self._found:
            receiver.addressResolved(IPv4Address("TCP", host, portNumber))
        receiver.resolutionComplete()


class EndpointTests(SynchronousTestCase):
    """The ``endpoint`` option."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()

    def test_default(self) -> None:
        """TCP to the host, with TLS around it where that is asked for."""
        dialer = Dialer(self.reactor)
        self.assertIsInstance(dialer.endpoint("a.test", 80, secure=False), HostnameEndpoint)
        self.assertNotIsInstance(dialer.endpoint("a.test", 443, secure=True), HostnameEndpoint)
        plain = dialer.endpointForURI(URI.fromBytes(b"http://a.test:81/"))
        self.assertIsInstance(plain, HostnameEndpoint)
        secure = dialer.endpointForURI(URI.fromBytes(b"https://a.test/"))
        self.assertNotIsInstance(secure, HostnameEndpoint)

    def test_underscore(self) -> None:
        """A name of Docker's is resolved as it is, and another that is not there is named."""
        for found in (True, False):
            reactor: Any = MemoryReactorClock()
            names: list[str] = []
            reactor.installNameResolver(_Names(names, ["10.0.0.7"] if found else []))
            endpoint = Dialer(reactor, proxy=False).endpoint("my_app", 80, secure=False)
            connecting = endpoint.connect(Factory())
            self.assertEqual(names, ["my_app"])
            if found:
                self.assertEqual(reactor.tcpClients[0][:2], ("10.0.0.7", 80))
            else:
                text = self.failureResultOf(connecting, DNSLookupError).getErrorMessage()
                self.assertIn("my_app", text)

    def test_address(self) -> None:
        """It is connected to without a resolver."""
        for host in ("10.0.0.7", "::1", "fe80::1", "::ffff:10.0.0.7"):
            reactor: Any = MemoryReactorClock()
            names: list[str] = []
            reactor.installNameResolver(_Names(names, []))
            Dialer(reactor, proxy=False).endpoint(host, 80, secure=False).connect(Factory())
            self.assertEqual(reactor.tcpClients[0][:2], (host, 80))
            self.assertEqual(names, [])

    def test_zone(self) -> None:
        """An address with a zone is connected to as it is."""
        dialer = Dialer(self.reactor, proxy=False)
        dialer.endpoint("fe80::1%eth0", 80, secure=False).connect(Factory())
        self.assertEqual(self.reactor.tcpClients[0][:2], ("fe80::1%eth0", 80))

    def test_server_name(self) -> None:
        """It is asked of the server, not of the proxy on the way."""
        tls = TLSPolicy(server_name="name.test")
        for proxy, asked in ((False, True), ("https://127.0.0.2:3128", False)):
            reactor: Any = MemoryReactorClock()
            dialer = Dialer(reactor, tls=tls, proxy=proxy)  # type: ignore[arg-type]
            dialer.endpoint("127.0.0.1", 443, secure=True).connect(Factory())
            ((_, _, factory, *_),) = reactor.tcpClients
            transport = StringTransport()
            factory.buildProtocol(None).makeConnection(transport)
            self.assertEqual(b"name.test" in transport.value(), asked)

    def test_text(self) -> None:
        """An endpoint's text connects the token request as well, whatever the host."""
        client = TokenSocket(
            "https://elsewhere.test", endpoint="unix:/run/app.sock", reactor=self.reactor
        )
        client.startService()
        self.reactor.advance(0)
        ((path, *_),) = self.reactor.unixClients
        self.assertEqual(path, "/run/app.sock")
        self.assertEqual(self.reactor.tcpClients, [])
        client.end()

    def test_mistakes(self) -> None:
        """What describes no endpoint is refused at once, in one line."""
        for option in ("", "unix", "nonsense:1", "tcp:", "tcp:a:b:c:d:e", 5, object()):
            with self.assertRaises(InvalidOption) as raised:
                TokenSocket(endpoint=option, reactor=self.reactor)  # type: ignore[arg-type]
            self.assertNotIn("\n", str(raised.exception))
            self.assertIn("endpoint is", str(raised.exception))
        for option in ("authority.pem", False, TLSPolicy):
            with self.assertRaises(InvalidOption) as raised:
                TokenSocket("a.test", tls=option, reactor=self.reactor)  # type: ignore[arg-type]
            self.assertIn("it must be a TLSPolicy", str(raised.exception))


class AgentTests(SynchronousTestCase):
    """The ``agent`` option."""

    def test_with_an_endpoint(self) -> None:
        """It sends the token request, the endpoint connects the rest."""
        asked = Calls()

        class Agent:
            def request(self, method: bytes, uri: bytes, *_: object) -> Any:
                asked(uri)
                raise ValueError("not today")

        reactor: Any = MemoryReactorClock()
        client = TokenSocket(
            "http://a.test",
            agent=Agent(),  # type: ignore[arg-type]
            endpoint="unix:/run/app.sock",
            reactor=reactor,
        )
        client.startService()
        reactor.advance(0)
        self.assertEqual(asked, [b"http://a.test/socket/token"])
        self.assertEqual(reactor.unixClients, [])
        client.end()
