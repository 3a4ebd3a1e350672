"""The certificate that a server shows."""

from __future__ import annotations

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IOpenSSLContextFactory, IStreamServerEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.server import Site
from zope.interface.verify import verifyObject

from tests.kit.certificates import self_signed
from txtokensock.errors import InvalidOption
from txtokensock.web.tls.pem import PEMText
from txtokensock.web.tls.server_certificate import ServerCertificate, TLSServerEndpoint

from .support import TLSTestCase


class ServerCertificateTests(TLSTestCase):
    """Files into what a server shows."""

    def test_another(self) -> None:
        """It becomes another in one step; the same again is no other."""
        first = ServerCertificate(*self_signed("a.test").write(self.directory, "a"))
        verifyObject(IOpenSSLContextFactory, first)
        same = ServerCertificate(self.directory / "a.pem", self.directory / "a.key")
        other = ServerCertificate(*self_signed("b.test").write(self.directory, "b"))
        self.assertFalse(first.become(same))
        self.assertTrue(first.become(other))
        self.assertIs(first.getContext(), other.getContext())

    def test_key_from_elsewhere(self) -> None:
        """A key need be in no file; it is in no error."""
        certificate, key = self_signed("a.test").write(self.directory, "a")
        ServerCertificate(certificate, PEMText(key.read_text(), "the environment variable KEY"))
        text = PEMText("s3cret", "the environment variable KEY")
        error = self.assertRaises(InvalidOption, ServerCertificate, certificate, text)
        self.assertIn("the environment variable KEY", str(error))
        self.assertNotIn("s3cret", f"{error} {text!r}")

    def test_endpoint(self) -> None:
        """What listens is TLS around the factory."""
        reactor = MemoryReactorClock()
        certificate = ServerCertificate(*self_signed("a.test").write(self.directory, "a"))
        endpoint = TLSServerEndpoint(TCP4ServerEndpoint(reactor, 1), certificate)
        verifyObject(IStreamServerEndpoint, endpoint)
        site = Site(None)
        self.successResultOf(endpoint.listen(site))
        [(_, factory, _, _)] = reactor.tcpServers
        self.assertIsInstance(factory, TLSMemoryBIOFactory)
        self.assertIs(factory.wrappedFactory, site)
