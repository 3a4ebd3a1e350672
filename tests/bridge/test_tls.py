"""``[upstream.tls]``: files into what decides on certificates."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface.verify import verifyObject

from txtokensock.bridge.config.tls import TlsConfig
from txtokensock.errors import InvalidOption


def write(directory: Path, name: str) -> None:
    """A key, the same with a passphrase, and a certificate for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(b"passphrase")
    for file, encryption in (("key", serialization.NoEncryption()), ("locked", locked)):
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        (directory / f"{name}.{file}").write_bytes(pem)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (directory / f"{name}.pem").write_bytes(pem)


class TlsTests(SynchronousTestCase):
    """With files of two."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-tls-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        for name in "ab":
            write(self.directory, name)
        bundle = [(self.directory / f"{name}.pem").read_bytes() for name in "ab"]
        (self.directory / "bundle").write_bytes("Ämter\n".encode("latin-1").join(bundle))
        (self.directory / "broken").write_text("-----BEGIN CERTIFICATE-----\nx\n")
        (self.directory / "empty").write_text("")

    def config(self, **files: str) -> TlsConfig:
        """A section."""
        return TlsConfig(**{name: str(self.directory / file) for name, file in files.items()})

    def test_good(self) -> None:
        """Authorities, one or several, and a certificate of our own."""
        for config in (
            self.config(),
            self.config(authorities="a.pem"),
            self.config(authorities="bundle", certificate="b.pem", key="b.key"),
        ):
            policy = config.policy()
            verifyObject(IPolicyForHTTPS, policy)
            creator = policy.creatorForNetloc(b"server.test", 443)
            self.assertTrue(IOpenSSLClientConnectionCreator.providedBy(creator))

    def test_bad(self) -> None:
        """What cannot be used is said, and nobody is asked for a passphrase."""
        for config, said in (
            (self.config(key="a.key"), "certificate and key need each other"),
            (self.config(certificate="a.pem", key="b.key"), "key is not the key of certificate"),
            (self.config(certificate="a.pem", key="a.locked"), "does not hold it in PEM"),
            (self.config(certificate="a.pem", key="a.pem"), "does not hold it in PEM"),
            (self.config(certificate="broken", key="a.key"), "does not hold it in PEM"),
            (self.config(authorities="broken"), "does not hold it in PEM"),
            (self.config(authorities="empty"), "does not hold it in PEM"),
            (self.config(authorities="none"), "cannot be read: No such file or directory"),
        ):
            problem = self.assertRaises(InvalidOption, config.policy)
            self.assertIn(said, str(problem))
