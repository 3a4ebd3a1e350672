"""``[upstream.tls]``: files into what decides on certificates."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface.verify import verifyObject

from txtokensock.bridge.config.tls import TlsConfig
from txtokensock.errors import InvalidOption

from ..certificates import self_signed


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
            (self.config(key="a.key"), "a private key is of no use without certificate"),
            (self.config(certificate="a.pem"), "a.pem holds no private key in PEM"),
            (self.config(certificate="a.pem", key="b.key"), "is not that of the certificate in"),
            (self.config(authorities="none"), "cannot be read: No such file or directory"),
            (self.config(server_name="a b"), "server_name is 'a b': it must be a host name"),
        ):
            problem = self.assertRaises(InvalidOption, config.policy)
            self.assertIn(said, str(problem))
