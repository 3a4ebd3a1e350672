"""``TLSPolicy`` against real TLS servers: ours, and Node's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from OpenSSL.crypto import X509
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates

from tests.kit.certificates import NOW, Authority, Issued, self_signed
from txtokensock import (
    AttemptTimeout,
    Backoff,
    Timeouts,
    TLSFailed,
    TLSPolicy,
    TokenRefused,
    TokenSocket,
    TokenUnreachable,
)
from txtokensock.sockjs import SockJSClientEndpoint

from .embedded import EmbeddedServer
from .servers import Server
from .support import InteropTestCase, within

SHOW = "tls=TLSPolicy(certificate=..., private_key=...)"


class PolicyTestCase(InteropTestCase):
    """Has an authority, and clients."""

    programs: tuple[str, ...] = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.directory = self.new_directory()
        self.authority = Authority()
        self.authorities, _ = self.authority.issued.write(self.directory, "authority")

    def client(self, url: str, tls: TLSPolicy | None) -> TokenSocket:
        """A client, started."""
        client = TokenSocket(url, tls=tls, backoff=Backoff(cap=0.01), reactor=reactor)
        self.addCleanup(client.end)
        client.startService()
        return client

    async def check(self, url: str, **options: Any) -> None:
        """A call gets there and back."""
        client = self.client(url, TLSPolicy(**options))
        await within(client.when_ready(fail_after=1))
        self.assertEqual(await within(client.rpc("echo", "é")), "é")

    async def refused(self, url: str, *said: str, phase: str = "connect", **options: Any) -> None:
        """
        The token request and the session fail alike, and for ever.

        :param phase: the session's.
        """
        tls = TLSPolicy(**options) if options else None
        client = self.client(url, tls)
        with self.assertRaises(TLSFailed) as failed:
            await within(client.when_ready(fail_after=3))
        endpoint = SockJSClientEndpoint(reactor, f"{url}/sockets", tls=tls)
        with self.assertRaises(TLSFailed) as session_failed:
            await within(endpoint.connect(Factory.forProtocol(Protocol)))
        for error, where in ((failed.exception, "token"), (session_failed.exception, phase)):
            self.assertIn("".join(said), str(error))
            self.assertEqual(error.phase, where)
            self.assertTrue(error.permanent)
        self.assertIsNone(failed.exception.retry_in)


class EmbeddedServerTests(PolicyTestCase):
    """Our own server."""

    async def serve(
        self, issued: Issued, interface: str = "127.0.0.1", *, asks: bool = False
    ) -> str:
        """:return: the URL of a server, which asks for a client's certificate or does not."""
        options: dict[str, Any] = {}
        if asks:
            ours = Certificate(X509.from_cryptography(self.authority.issued.certificate))
            options["trustRoot"] = trustRootFromCertificates([ours])
        tls = CertificateOptions(
            privateKey=issued.key,
            certificate=issued.certificate,
            extraCertChain=list(issued.chain),
            **options,
        )
        server = EmbeddedServer(tls=tls, interface=interface)
        self.addCleanup(server.close)
        await server.start()
        return server.url

    async def test_authority(self) -> None:
        """An authority of one's own, and one that it signed."""
        await self.check(
            await self.serve(self.authority.server("127.0.0.1")), authorities=self.authorities
        )
        between = Authority("Between", self.authority)
        url = await self.serve(between.server("127.0.0.1"))
        await self.check(url, authorities=self.authorities)
        await self.refused(url, "by an unknown authority, 'Test Authority'; tls=TLSPolicy(")

    async def test_self_signed(self) -> None:
        """A certificate that is trusted itself, or not."""
        issued = self_signed("127.0.0.1")
        file, _ = issued.write(self.directory)
        url = await self.serve(issued)
        await self.check(url, authorities=file)
        said = "TLS: the certificate of 127.0.0.1 is self-signed"
        await self.refused(url, said, "; tls=TLSPolicy(authorities=...) with it in the file")
        await self.refused(url, said, ", which authorities=", authorities=self.authorities)

    async def test_expired(self) -> None:
        """No option helps."""
        ended = NOW - timedelta(minutes=1)
        url = await self.serve(self.authority.server("127.0.0.1", ends=ended))
        said = f"expired on {ended:%Y-%m-%d %H:%M} UTC: it must be renewed"
        await self.refused(url, said, authorities=self.authorities)

    async def test_other_name(self) -> None:
        """A certificate for another name, which the user expects, or does not."""
        url = await self.serve(self.authority.server("app.test"))
        await self.check(url, authorities=self.authorities, server_name="app.test")
        said = "the certificate is not for 127.0.0.1 but for app.test; tls=TLSPolicy(server_name="
        await self.refused(url, said, authorities=self.authorities)

    async def test_client_certificate(self) -> None:
        """One that is asked for is shown; to show none, or a wrong one, is an error."""
        url = await self.serve(self.authority.server("127.0.0.1"), asks=True)
        certificate, key = self.authority.client().write(self.directory, "client")
        trusting: dict[str, Any] = {"authorities": self.authorities}
        await self.check(url, **trusting, certificate=certificate, private_key=key)
        said = f"the server asks for a certificate of ours; {SHOW} shows one"
        await self.refused(url, said, **trusting, phase="handshake")
        trusting["certificate"], trusting["private_key"] = (
            Authority("Nobody").client().write(self.directory, "wrong")
        )
        said = f"the server refused our certificate (unknown ca); {SHOW} shows another"
        await self.refused(url, said, **trusting, phase="handshake")

    async def test_ipv6(self) -> None:
        """An address of IPv6, which is in the certificate, or is not."""
        url = await self.serve(self.authority.server("::1"), "::1")
        await self.check(url, authorities=self.authorities)
        url = await self.serve(self.authority.server("127.0.0.1"), "::1")
        said = "the certificate is not for ::1 but for 127.0.0.1"
        await self.refused(url, said, authorities=self.authorities)

    async def test_no_tls(self) -> None:
        """``https`` where the server speaks ``http``; Twisted's then waits for a line."""
        server = EmbeddedServer()
        self.addCleanup(server.close)
        await server.start()
        url = server.url.replace("http:", "https:")
        client = TokenSocket(url, timeouts=Timeouts(token=0.5), reactor=reactor)
        self.addCleanup(client.end)
        client.startService()
        with self.assertRaises(AttemptTimeout) as late:
            await within(client.when_ready(fail_after=1))
        self.assertIn("TLS was not answered, is it http:// there?", str(late.exception))

    async def test_no_https(self) -> None:
        """``http`` where the server speaks ``https``."""
        url = await self.serve(self.authority.server("127.0.0.1"))
        client = self.client(url.replace("https:", "http:"), None)
        with self.assertRaises(TokenUnreachable) as closed:
            await within(client.when_ready(fail_after=1))
        self.assertIn("(is it https:// there?)", str(closed.exception))


class NodeHTTP(Server):
    """Node's HTTP, which answers nothing."""

    name = "node http"

    def command(self) -> list[str]:
        script = """
            require("http").createServer(() => {}).listen(Number(process.argv[1]), "127.0.0.1",
                () => console.log("ready"));
            process.stdin.on("end", () => process.exit(0)).resume();
        """
        return ["node", "-e", script, str(self.port)]

    def is_ready(self, line: str) -> bool:
        return line == "ready"


class NodeTLS(NodeHTTP):
    """
    Node's TLS, in front of nothing: what it accepts, it answers with 403.

    :param directory: where the files are.
    :param arguments: the files of the key, the certificate and the authority of clients,
        and the highest version of TLS.
    """

    name = "node tls"

    def __init__(self, directory: Path, *arguments: str) -> None:
        super().__init__()
        self.directory = directory
        self._arguments = arguments

    def command(self) -> list[str]:
        script = """
            const fs = require("fs"), [port, key, cert, ca, max] = process.argv.slice(1);
            const options = {
                key: fs.readFileSync(key), cert: fs.readFileSync(cert), maxVersion: max,
                ca: fs.readFileSync(ca), requestCert: true, rejectUnauthorized: true };
            const answer = (request, response) => response.writeHead(403).end();
            require("https").createServer(options, answer).listen(Number(port), "127.0.0.1",
                () => console.log("ready"));
            process.stdin.on("end", () => process.exit(0)).resume();
        """
        return ["node", "-e", script, str(self.port), *self._arguments]


class NodeTests(PolicyTestCase):
    """Somebody else's TLS."""

    programs = ("node",)

    async def test_no_tls(self) -> None:
        """Node's ``http`` answers a client that speaks TLS."""
        server = await self.started(NodeHTTP())
        url = f"https://127.0.0.1:{server.port}"
        await self.refused(url, "the server does not speak TLS on that port: is it http:// there?")

    async def test_versions(self) -> None:
        """It says what is wrong in its own way, which differs by the version of TLS."""
        self.authority.server("127.0.0.1").write(self.directory, "server")
        certificate, key = self.authority.client().write(self.directory, "client")
        trusting: dict[str, Any] = {"authorities": self.authorities}
        for version, said in (
            ("TLSv1.2", "the server refused the handshake, with no reason given; if it asks"),
            ("TLSv1.3", "the server asks for a certificate of ours"),
        ):
            phase = "connect" if version == "TLSv1.2" else "handshake"
            server = await self.started(
                NodeTLS(self.directory, "server.key", "server.pem", "authority.pem", version)
            )
            url = f"https://127.0.0.1:{server.port}"
            await self.refused(url, "is signed by an unknown authority, 'Test Authority'")
            await self.refused(url, said, **trusting, phase=phase)
            tls = TLSPolicy(**trusting, certificate=certificate, private_key=key)
            with self.assertRaises(TokenRefused):  # by an answer in HTTP: TLS is done
                await within(self.client(url, tls).when_ready(fail_after=1))
