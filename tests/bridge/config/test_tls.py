"""The ``tls`` tables: files into what decides on certificates, and what comes of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface.verify import verifyObject

from tests.kit.certificates import self_signed
from txtokensock.bridge.config.wamp import WampConfig
from txtokensock.bridge.wamp.realm import RealmLost
from txtokensock.bridge.wamp.router_connection import connect
from txtokensock.bridge.wamp.router_endpoint import client_endpoint
from txtokensock.config.tls import TlsConfig
from txtokensock.errors import InvalidOption
from txtokensock.testing.network import MemoryNetwork
from txtokensock.web.tls.certificates import CertificateRefused
from txtokensock.web.tls.handshake import TLSEndpoint
from txtokensock.web.tls.policy import explain

from ...web.tls.support import TLSTestCase


class TlsTests(SynchronousTestCase):
    """With files of two."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-tls-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        for name in "ab":
            self_signed(f"{name}.test").write(self.directory, name)
        both = [(self.directory / file).read_bytes() for file in ("b.pem", "b.key")]
        (self.directory / "both").write_bytes(b"".join(both))

    def config(self, server_name: str | None = None, **files: str) -> TlsConfig:
        """A section."""
        paths = {name: str(self.directory / file) for name, file in files.items()}
        return TlsConfig(server_name=server_name, **paths)

    def test_good(self) -> None:
        """Authorities, and a certificate of our own, with its key in a file or the same."""
        for config in (
            self.config(),
            self.config(authorities="a.pem"),
            self.config(authorities="a.pem", certificate="b.pem", key="b.key"),
            self.config(certificate="both", server_name="c.test"),
        ):
            policy = config.policy()
            verifyObject(IPolicyForHTTPS, policy)
            creator = policy.creatorForNetloc(b"server.test", 443)
            self.assertTrue(IOpenSSLClientConnectionCreator.providedBy(creator))

    def test_bad(self) -> None:
        """What cannot be used is said, in words that fit the configuration's."""
        for config, said in (
            (self.config(key="a.key"), "a private key cannot be used without a certificate"),
            (self.config(certificate="a.pem"), "a.pem holds no private key in PEM"),
            (self.config(certificate="a.pem", key="b.key"), "is not that of the certificate in"),
            (self.config(authorities="none"), "cannot be read: No such file or directory"),
            (self.config(server_name="a b"), "server_name is 'a b': it must be a host name"),
        ):
            problem = self.assertRaises(InvalidOption, config.policy)
            self.assertIn(said, str(problem))


class RouterTests(TLSTestCase):
    """A WAMP router that is not what it should be."""

    def joining(self, network: MemoryNetwork, scheme: str, **tls: str) -> Deferred[Any]:
        """An attempt to join its realm, after all that takes no time."""
        section = WampConfig(
            url=f"{scheme}://a.test:443/ws", realm="r", endpoint="unix:x", tls=TlsConfig(**tls)
        )
        made = client_endpoint(section, MemoryReactorClock())
        self.assertIsInstance(made, TLSEndpoint)
        creator = section.tls.policy().creatorForNetloc(b"a.test", 443)
        clock: Any = self.clock
        endpoint = TLSEndpoint(clock, creator, network.endpoint())
        joining: Deferred[Any] = Deferred.fromCoroutine(connect(section, clock, endpoint))
        self.settle()
        return joining

    def test_refused(self) -> None:
        """Its certificate is not trusted."""
        for scheme in ("wss", "rss"):
            network = self.serve(self.authority.server("a.test"))
            failure = self.failureResultOf(self.joining(network, scheme), CertificateRefused)
            self.assertIn("signed by an unknown authority", explain(failure.value))
            self.assertEqual(network.open, [])

    def test_asks_for_certificate(self) -> None:
        """It wants one of ours, which it says when TLS is there already."""
        for scheme in ("wss", "rss"):
            network = self.serve(self.authority.server("a.test"), clients_of=[self.authority])
            joining = self.joining(network, scheme, authorities=str(self.authorities))
            failure = self.failureResultOf(joining, RealmLost)
            self.assertIn("TLS: the server asks for a certificate of ours", str(failure.value))
            self.assertEqual(network.open, [])
