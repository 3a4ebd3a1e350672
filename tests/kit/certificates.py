"""Certificates made for tests: authorities, what they sign, and what signs itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Issued:
    """
    A certificate and its key.

    :ivar chain: the certificates between it and its authority.
    """

    certificate: x509.Certificate
    key: Any
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """The certificate and the chain."""
        return b"".join(
            one.public_bytes(serialization.Encoding.PEM) for one in (self.certificate, *self.chain)
        )

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        """The key."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase)
            if passphrase
            else serialization.NoEncryption(),
        )

    def write(self, directory: Path, name: str = "certificate") -> tuple[Path, Path]:
        """:return: the files of both, ``NAME.pem`` and ``NAME.key``."""
        files = directory / f"{name}.pem", directory / f"{name}.key"
        files[0].write_bytes(self.pem)
        files[1].write_bytes(self.key_pem())
        return files


class Authority:
    """
    Signs certificates.

    :param parent: signs its own; without one it does so itself.
    :ivar issued: its own certificate.
    """

    def __init__(
        self,
        name: str = "Test Authority",
        parent: Authority | None = None,
        *,
        ends: datetime = NOW + HOUR,
    ) -> None:
        self._parent = parent
        self.issued = _make(name, signer=parent, authority=True, ends=ends)

    def server(
        self,
        *names: str | x509.GeneralName,
        starts: datetime = NOW - HOUR,
        ends: datetime = NOW + HOUR,
    ) -> Issued:
        """A server's, for host names and IP addresses."""
        return _make("server", names, signer=self, starts=starts, ends=ends)

    def client(self, name: str = "client", *, ends: datetime = NOW + HOUR) -> Issued:
        """A client's."""
        return _make(name, signer=self, ends=ends, usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def chain(self) -> tuple[x509.Certificate, ...]:
        """What leads from what it signs to the uppermost authority, without that."""
        if self._parent is None:
            return ()
        return (self.issued.certificate, *self._parent.chain())


def self_signed(*names: str, key: Any = None) -> Issued:
    """A server's that nobody else signed, and that may sign nothing else."""
    return _make("server", names, key=key)


def _make(
    name: str,
    hosts: tuple[str | x509.GeneralName, ...] = (),
    *,
    signer: Authority | None = None,
    authority: bool = False,
    starts: datetime = NOW - HOUR,
    ends: datetime = NOW + HOUR,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    key: Any = None,
) -> Issued:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signer is None else signer.issued.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    signed = builder.sign(key if signer is None else signer.issued.key, hashes.SHA256())
    return Issued(signed, key, signer.chain() if signer else ())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str | x509.GeneralName) -> x509.GeneralName:
    if isinstance(host, x509.GeneralName):
        return host
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
