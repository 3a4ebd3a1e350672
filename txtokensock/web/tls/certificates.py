"""
What is wrong with a server's certificate, and which option would accept it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL.SSL import Error as TLSError
from OpenSSL.SSL import X509VerificationCodes as Code
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)

from ...errors import shorten
from ...support.portable import Portable

__all__ = ["CertificateRefused", "check_chain", "check_name", "is_address"]

_MOST_NAMES = 5
_UNKNOWN_SIGNER = {
    Code.ERR_SELF_SIGNED_CERT_IN_CHAIN,
    Code.ERR_UNABLE_TO_GET_ISSUER_CERT,
    Code.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    Code.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
}


class CertificateRefused(Portable, TLSError):
    """
    The client does not accept the server's certificate.

    It is a subclass of OpenSSL's error, so that Twisted takes it for the reason why TLS ended.

    :ivar permanent: whether it will not pass with time.
    """

    def __init__(self, text: str, *, permanent: bool = True) -> None:
        # Twisted and Autobahn read it in the form of OpenSSL's queue of errors.
        super().__init__([("certificate", "", text)])
        self.permanent = permanent

    def __str__(self) -> str:
        return str(self.args[0][0][2])


def check_chain(
    code: int, depth: int, certificate: x509.Certificate, server: str, *, own_trust: bool
) -> None:
    """
    Refuse a certificate if OpenSSL found an error while it verified the chain.

    :param code: the error of OpenSSL, 0 for none.
    :param depth: 0 for the server's own certificate.
    :param certificate: the certificate with the error.
    :param own_trust: whether ``authorities`` are trusted, and not the platform's.
    :raises CertificateRefused: for every code but 0.
    """
    if code == 0:
        return
    whose = f"the certificate of {server}"
    if code == Code.ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        raise CertificateRefused(f"{whose} is self-signed{_remedy('it', own_trust)}")
    if code in _UNKNOWN_SIGNER:
        signer = _described(certificate.issuer)
        remedy = _remedy("that authority's certificate", own_trust)
        raise CertificateRefused(f"{whose} is signed by an unknown authority, {signer}{remedy}")
    if depth:
        whose = f"the certificate of the authority {_described(certificate.subject)}"
    if code == Code.ERR_CERT_HAS_EXPIRED:
        ended = _date(certificate.not_valid_after_utc)
        raise CertificateRefused(f"{whose} expired on {ended}: it must be renewed")
    if code == Code.ERR_CERT_NOT_YET_VALID:
        start = _date(certificate.not_valid_before_utc)
        raise CertificateRefused(
            f"{whose} is not valid before {start}: is this machine's clock right?",
            permanent=False,
        )
    raise CertificateRefused(f"{whose} is refused: {_CODES.get(code, f'code {code}')}")


def check_name(certificate: x509.Certificate, server: str) -> None:
    """
    :param server: the expected name or IP address.
    :raises CertificateRefused: if the certificate is not for that.
    """
    verify = verify_certificate_ip_address if is_address(server) else verify_certificate_hostname
    try:
        verify(certificate, server)
    except (VerificationError, CertificateError):
        names = list(_names(certificate))
        if not names:
            raise CertificateRefused(
                f"the certificate of {server} names no host: it must be issued again, with a"
                " subjectAltName"
            ) from None
        if is_address(server) and server in names:
            raise CertificateRefused(
                f"the certificate has {server} as a name, not as the IP address that it is: it"
                " must be issued again, with IP:... in its subjectAltName instead of DNS:..."
            ) from None
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        raise CertificateRefused(
            f"the certificate is not for {server} but for"
            f" {shorten(', '.join(names[:_MOST_NAMES]))}{more};"
            " tls=TLSPolicy(server_name=...) asks for one of these"
        ) from None


def is_address(server: str) -> bool:
    """Whether the text is an IP address, and not a name."""
    try:
        ip_address(server)
    except ValueError:
        return False
    return True


def _remedy(what: str, own_trust: bool) -> str:
    if own_trust:
        return ", which authorities= of TLSPolicy does not hold"
    return f"; tls=TLSPolicy(authorities=...) with {what} in the file allows it"


def _names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return
    for name in extension.value:
        if isinstance(name, x509.DNSName | x509.IPAddress):
            yield str(name.value)


def _described(name: x509.Name) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return repr(shorten(str(attribute.value)))
    return repr(shorten(name.rfc4514_string()))


def _date(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


_CODES = {
    code: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, code in vars(Code).items()
    if name.startswith("ERR_")
} | {
    # pyOpenSSL has no names for these, which depend on the security level of this machine.
    66: "its key is too small",
    67: "its key is too small",
    68: "its signature is made with too weak a digest",
}
