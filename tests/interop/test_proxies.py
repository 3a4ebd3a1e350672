"""Real proxies, each with and without a password: tinyproxy by CONNECT, microsocks by SOCKS5."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.utils import getProcessOutputAndValue

from tests.kit.certificates import Authority
from tests.kit.ports import ReservedPort
from txtokensock import Backoff, TLSPolicy, TokenSocket
from txtokensock.errors import ConnectFailed, ProxyRefused
from txtokensock.web.client.proxies import Proxy
from txtokensock.web.client.proxy_endpoint import through

from .embedded import EmbeddedServer
from .proxies import MicroSocks, TinyProxy
from .support import InteropTestCase, within
from .twistd import script

USER, PASSWORD = "ada", "s3cret"


class Echo(Protocol):
    """
    Sends everything back.

    :ivar lost: fires when the connection is gone.
    """

    transport: Any

    def connectionMade(self) -> None:
        self.lost: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(None)


class Client(Protocol):
    """
    Waits for bytes.

    :ivar lost: fires with the reason when the connection is gone.
    """

    transport: Any

    def __init__(self) -> None:
        self.lost: Deferred[Any] = Deferred()
        self._received = b""
        self._wanted = 0
        self._waiting: Deferred[bytes] = Deferred()

    def ask(self, data: bytes) -> Deferred[bytes]:
        """:return: fires with as many bytes as were sent."""
        self._received, self._wanted, self._waiting = b"", len(data), Deferred()
        self.transport.write(data)
        return self._waiting

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if len(self._received) >= self._wanted and not self._waiting.called:
            self._waiting.callback(self._received)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(reason.value)


class ProxyTestCase(InteropTestCase):
    """With servers that echo, and a way through proxies to them."""

    programs = ("tinyproxy", "microsocks")

    async def echo(self, description: str = "tcp:0:interface=127.0.0.1") -> int:
        """:return: the port of a server that echoes."""
        self.echoes: list[Echo] = []

        def build() -> Echo:
            self.echoes.append(Echo())
            return self.echoes[-1]

        factory = Factory.forProtocol(build)  # type: ignore[arg-type]
        port = await serverFromString(reactor, description).listen(factory)
        self.addCleanup(self._close, port)
        return int(port.getHost().port)

    async def _close(self, port: Any) -> None:
        await port.stopListening()
        for echo in self.echoes:
            if not echo.lost.called:
                echo.transport.abortConnection()
                await within(echo.lost)

    async def client(
        self, url: str, port: int, tls: TLSPolicy | None = None, host: str = "127.0.0.1"
    ) -> Client:
        """A connection to this machine through a proxy."""
        endpoint = through(Proxy.parse(url), reactor, host, port, TLSPolicy())
        if tls is not None:
            endpoint = wrapClientTLS(tls.creatorForNetloc(host.encode(), port), endpoint)
        client: Any = await within(endpoint.connect(Factory.forProtocol(Client)))
        self.addCleanup(self._end, client)
        return client  # type: ignore[no-any-return]

    async def _end(self, client: Client) -> None:
        client.transport.abortConnection()
        if not client.lost.called:
            await within(client.lost)

    async def refused(self, url: str, port: int, host: str = "127.0.0.1") -> ProxyRefused:
        """The error of a connection that the proxy does not make."""
        with self.assertRaises(ProxyRefused) as raised:
            await self.client(url, port, host=host)
        self.assertNotIn(PASSWORD, str(raised.exception))
        return raised.exception


class TinyProxyTests(ProxyTestCase):
    """The endpoint by itself."""

    async def test_tunnel(self) -> None:
        """Bytes, and many of them, by TCP and by TLS; the end comes through in order."""
        authority = Authority()
        directory = self.new_directory()
        authorities, _ = authority.issued.write(directory, "authority")
        certificate, key = authority.server("127.0.0.1").write(directory)
        secure = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
        proxy = await self.started(TinyProxy())
        for description, tls in (
            ("tcp:0:interface=127.0.0.1", None),
            (secure, TLSPolicy(authorities=authorities)),
        ):
            port = await self.echo(description)
            client = await self.client(proxy.url, port, tls)
            for data in (b"hello", bytes(range(256)) * 8192):
                self.assertEqual(await within(client.ask(data)), data)
            self.assertEqual(client.transport.getPeer().port, proxy.port)
            self.assertEqual(proxy.tunnels(port), 1)
            client.transport.loseConnection()
            await within(client.lost)

    async def test_passwords(self) -> None:
        """The right one opens; without one, or with another, it is 407."""
        port = await self.echo()
        proxy = await self.started(TinyProxy(USER, PASSWORD))
        client = await self.client(proxy.url, port)
        self.assertEqual(await within(client.ask(b"hello")), b"hello")
        error = await self.refused(f"http://127.0.0.1:{proxy.port}", port)
        self.assertEqual(error.status, 407)
        self.assertIn("give its user and password", str(error))
        error = await self.refused(f"http://{USER}:{PASSWORD}x@127.0.0.1:{proxy.port}", port)
        self.assertIn(error.status, (401, 407))
        self.assertIn("it does not accept the user and the password", str(error))

    async def test_unreachable_server(self) -> None:
        """A server that is not there, and one whose name is none."""
        nobody = ReservedPort()
        self.addCleanup(nobody.release)
        proxy = await self.started(TinyProxy())
        error = await self.refused(proxy.url, nobody.number)
        self.assertIn(f"refused to connect us to 127.0.0.1:{nobody.number}: 5", str(error))
        self.assertGreaterEqual(error.status or 0, 500)

    async def test_killed(self) -> None:
        """A proxy that dies takes its connections along, and is then not to be reached."""
        port = await self.echo()
        proxy = await self.started(TinyProxy())
        client = await self.client(proxy.url, port)
        self.assertEqual(await within(client.ask(b"hello")), b"hello")
        await proxy.kill()
        await within(client.lost)
        with self.assertRaises(ConnectFailed) as raised:
            await self.client(proxy.url, port)
        self.assertIn(
            f"cannot reach the proxy {proxy.url}: Connection was refused", str(raised.exception)
        )


class MicroSocksTests(ProxyTestCase):
    """SOCKS5."""

    async def test_tunnel(self) -> None:
        """Bytes, and many of them."""
        port = await self.echo()
        proxy = await self.started(MicroSocks())
        client = await self.client(proxy.url, port)
        for data in (b"hello", bytes(range(256)) * 8192):
            self.assertEqual(await within(client.ask(data)), data)
        client.transport.loseConnection()
        await within(client.lost)
        self.assertEqual(proxy.clients(port), 1)

    async def test_ipv6(self) -> None:
        """An IPv6 address goes as one, by TCP and by TLS."""
        authority = Authority()
        directory = self.new_directory()
        authorities, _ = authority.issued.write(directory, "authority")
        certificate, key = authority.server("::1").write(directory)
        proxy = await self.started(MicroSocks(USER, PASSWORD))
        for description, tls in (
            (r"tcp6:0:interface=\:\:1", None),
            (
                rf"ssl:0:interface=\:\:1:privateKey={key}:certKey={certificate}",
                TLSPolicy(authorities=authorities),
            ),
        ):
            port = await self.echo(description)
            client = await self.client(proxy.url, port, tls, host="::1")
            for data in (b"hello", bytes(range(256)) * 8192):
                self.assertEqual(await within(client.ask(data)), data)
            self.assertEqual(proxy.clients(port, "::1"), 1)

    async def test_passwords(self) -> None:
        """The right one opens, however long; without one, or with another, it is refused."""
        port = await self.echo()
        for user, password in ((USER, PASSWORD), ("a" * 255, "b" * 255), ("é", "ü")):
            proxy = await self.started(MicroSocks(user, password))
            client = await self.client(proxy.url, port)
            self.assertEqual(await within(client.ask(b"hello")), b"hello")
        error = await self.refused(f"socks5://127.0.0.1:{proxy.port}", port)
        self.assertIn("it asks for a password", str(error))
        error = await self.refused(f"socks5://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}", port)
        self.assertIn("it does not accept the user and the password", str(error))
        open_to_all = await self.started(MicroSocks())
        client = await self.client(
            f"socks5://{USER}:{PASSWORD}@127.0.0.1:{open_to_all.port}", port
        )
        self.assertEqual(await within(client.ask(b"hello")), b"hello")

    async def test_unreachable_server(self) -> None:
        """A server that is not there, by either kind of address."""
        nobody = ReservedPort()
        self.addCleanup(nobody.release)
        proxy = await self.started(MicroSocks())
        for host, target in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")):
            error = await self.refused(proxy.url, nobody.number, host)
            self.assertIn(f"to {target}:{nobody.number}: Connection refused", str(error))

    async def test_killed(self) -> None:
        """A proxy that dies takes its connections along, and is then not to be reached."""
        port = await self.echo()
        proxy = await self.started(MicroSocks())
        client = await self.client(proxy.url, port)
        self.assertEqual(await within(client.ask(b"hello")), b"hello")
        await proxy.kill()
        await within(client.lost)
        with self.assertRaises(ConnectFailed) as raised:
            await self.client(proxy.url, port)
        self.assertIn(f"cannot reach the proxy {proxy.url}", str(raised.exception))

    async def token_socket(self, host: str, interface: str, *credentials: str) -> None:
        """A call through a proxy that connects to that host, for the token and for the socket."""
        embedded = EmbeddedServer(interface=interface)
        self.addCleanup(embedded.close)
        await embedded.start()
        port = int(embedded.url.rpartition(":")[2])
        proxy = await self.started(MicroSocks(*credentials))
        socket = TokenSocket(
            f"http://{host}:{port}", proxy=proxy.url, backoff=Backoff(cap=0.1), reactor=reactor
        )
        self.addCleanup(socket.end)
        socket.startService()
        await within(socket.when_ready(fail_after=1))
        self.assertEqual(await within(socket.rpc("echo", "é")), "é")
        self.assertEqual(proxy.clients(port, host.strip("[]")), 2)

    async def test_token_socket(self) -> None:
        """A client whose host only the proxy looks up."""
        await self.token_socket("localhost", "127.0.0.1")

    async def test_token_socket_with_a_password(self) -> None:
        """A client whose proxy wants to know who it is."""
        await self.token_socket("localhost", "127.0.0.1", USER, PASSWORD)

    async def test_token_socket_ipv6(self) -> None:
        """A client whose server has an IPv6 address."""
        await self.token_socket("[::1]", "::1", USER, PASSWORD)


class EnvironmentTests(ProxyTestCase):
    """
    The variables, as a process of its own finds them.  Its server is at 0.0.0.0, which for
    Linux is this machine, but is no loopback address.
    """

    async def setUp(self) -> None:
        await super().setUp()
        self.embedded = EmbeddedServer(interface="0.0.0.0", allowed_hosts=["0.0.0.0"])
        self.addCleanup(self.embedded.close)
        await self.embedded.start()
        self.port = int(self.embedded.url.rpartition(":")[2])

    async def run_echo(self, host: str = "0.0.0.0", **variables: str) -> tuple[str, str, int]:
        """``tokensock rpc echo`` with these variables alone: its output, errors, and status."""
        kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        out, err, status = await within(
            getProcessOutputAndValue(
                script("tokensock"),
                ["rpc", "echo", "1", f"--host=http://{host}:{self.port}"],
                env={**kept, **variables},
                reactor=reactor,
            )
        )
        return out.decode(), err.decode(), status

    async def test_variables(self) -> None:
        """HTTP_PROXY is gone through; not to what NO_PROXY names, nor to this machine."""
        proxy = await self.started(TinyProxy(USER, PASSWORD))
        self.assertEqual(await self.run_echo(HTTP_PROXY=proxy.url), ("1\n", "", 0))
        # The token request, and the socket.
        await proxy.until(lambda: proxy.tunnels(self.port, "0.0.0.0") == 2)
        for host, variables in (
            ("0.0.0.0", {"HTTP_PROXY": proxy.url, "NO_PROXY": "0.0.0.0/8"}),
            ("127.0.0.1", {"HTTP_PROXY": proxy.url}),
            ("0.0.0.0", {"HTTPS_PROXY": proxy.url}),
        ):
            self.assertEqual(await self.run_echo(host, **variables), ("1\n", "", 0))
        self.assertEqual(proxy.tunnels(self.port, "0.0.0.0"), 2)
        self.assertEqual(proxy.tunnels(self.port), 0)

    async def test_socks(self) -> None:
        """ALL_PROXY with a password; one line that keeps it when it is another."""
        proxy = await self.started(MicroSocks(USER, PASSWORD))
        self.assertEqual(await self.run_echo(ALL_PROXY=proxy.url), ("1\n", "", 0))
        await proxy.until(lambda: proxy.clients(self.port, "0.0.0.0") == 2)
        wrong = proxy.url.replace("socks5://", "socks://").replace(USER, f"not-{USER}")
        out, err, status = await self.run_echo(all_proxy=wrong)
        self.assertEqual((out, err.count("\n")), ("", 1), err)
        self.assertNotEqual(status, 0)
        self.assertIn("it does not accept the user and the password", err)
        self.assertNotIn(PASSWORD, err)

    async def test_mistakes(self) -> None:
        """One line, which names the variable and keeps the password."""
        value = f"http://{USER}:{PASSWORD}/@h"
        out, err, status = await self.run_echo(http_proxy=value)
        self.assertEqual((out, err.count("\n")), ("", 1), err)
        self.assertNotEqual(status, 0)
        self.assertIn("http_proxy in the environment is not the URL of a proxy", err)
        self.assertNotIn(PASSWORD, err)
