"""
TLS to a server: whom we trust, and what we show.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from OpenSSL.crypto import FILETYPE_PEM
from OpenSSL.crypto import Error as SSLError
from twisted.internet.error import VerifyError
from twisted.internet.ssl import (
    Certificate,
    KeyPair,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ...errors import InvalidOption
from .section import Section

__all__ = ["TlsConfig"]

T = TypeVar("T")

_BEGIN = b"-----BEGIN CERTIFICATE-----"


class TlsConfig(Section, frozen=True):
    """
    :ivar authorities: a file of certificates, PEM, that sign the server's; by default the
        platform's.
    :ivar certificate: a file, PEM, with our certificate, for servers that ask for one.
    :ivar key: a file, PEM, with the private key for it.
    """

    authorities: str | None = None
    certificate: str | None = None
    key: str | None = None

    def policy(self) -> IPolicyForHTTPS:
        """
        What decides on certificates; the files are read now.

        :raises InvalidOption: if one cannot be used.
        """
        if (self.certificate is None) != (self.key is None):
            raise InvalidOption("certificate and key need each other")
        trust = None
        if self.authorities is not None:
            trust = _of_file(self.authorities, _authorities)
        own = None
        if self.certificate is not None and self.key is not None:
            certificate = _of_file(self.certificate, Certificate.loadPEM)
            key = _of_file(self.key, _key)
            try:
                own = PrivateCertificate.fromCertificateAndKeyPair(certificate, key)
            except VerifyError:
                raise InvalidOption("key is not the key of certificate") from None
        return _Policy(trust, own)


def _of_file(path: str, make: Callable[[bytes], T]) -> T:
    try:
        return make(Path(path).read_bytes())
    except OSError as problem:
        raise InvalidOption(f"the file {path} cannot be read: {problem.strerror}") from None
    except (ValueError, SSLError):
        raise InvalidOption(f"the file {path} does not hold it in PEM") from None


def _key(text: bytes) -> KeyPair:
    if b"ENCRYPTED" in text:
        raise ValueError("OpenSSL would ask for a passphrase on the terminal")
    return KeyPair.load(text, FILETYPE_PEM)


def _authorities(text: bytes) -> Any:
    parts = text.split(_BEGIN)[1:]
    if not parts:
        raise ValueError("no certificate")
    return trustRootFromCertificates([Certificate.loadPEM(_BEGIN + part) for part in parts])


@implementer(IPolicyForHTTPS)
class _Policy:
    def __init__(self, trust: Any, certificate: Any) -> None:
        self._trust = trust
        self._certificate = certificate

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        return optionsForClientTLS(
            hostname.decode("ascii"), trustRoot=self._trust, clientCertificate=self._certificate
        )
