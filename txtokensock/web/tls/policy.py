"""
TLS to a server: which certificates are trusted and shown, and errors in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate as X509Certificate
from OpenSSL.crypto import X509, X509StoreFlags
from OpenSSL.SSL import VERIFY_FAIL_IF_NO_PEER_CERT, VERIFY_PEER, Connection
from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ...address import ascii_name
from ...errors import InvalidOption, Phase, TLSFailed, shorten
from .certificates import CertificateRefused, check_chain, check_name, is_address
from .pem import FilePath, read_certificates, read_identity

__all__ = ["TLSPolicy", "explain", "is_tls_problem", "permanent", "tls_failure"]


@implementer(IPolicyForHTTPS)
class TLSPolicy:
    """
    What TLS connections require of servers, and the certificate that they show.

    The server's certificate is always verified, and so is its name.  All files are in PEM,
    and are read at once: after a change, make a new policy.

    :param authorities: a file of certificates to trust instead of the platform's
        authorities: those of your own authorities, or of servers themselves, for instance
        self-signed ones.
    :param certificate: a file with a certificate to show to servers that ask for one,
        followed by those of intermediate authorities, if any.
    :param private_key: a file with its private key, not encrypted; by default the file
        of ``certificate``.
    :param server_name: the host name or IP address that the certificate must be for,
        instead of the one in the URL.  Servers with several certificates choose by it.
    :raises InvalidOption: if a file cannot be used, or the name is not valid.
    """

    def __init__(
        self,
        *,
        authorities: FilePath | None = None,
        certificate: FilePath | None = None,
        private_key: FilePath | None = None,
        server_name: str | None = None,
    ) -> None:
        self._trusted = (
            None if authorities is None else read_certificates("authorities", authorities)
        )
        self._identity = read_identity(certificate, private_key)
        self._server_name = None if server_name is None else _server_name(server_name)
        self._servers: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()
        if self._identity is not None:
            try:
                self._options.getContext()
            except (TLSError, TypeError, ValueError) as problem:
                raise InvalidOption(f"certificate cannot be used: {explain(problem)}") from None

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        """
        The creator of connections to a server, for Twisted's endpoints and ``Agent``.

        :param hostname: the host of the URL, in ASCII.
        """
        return _Creator(self, self._server_name or _bare_host(hostname))

    def for_proxies(self) -> IPolicyForHTTPS:
        """The same policy for proxies, which ``server_name`` does not apply to."""
        return _ForProxies(self)

    def connection(self, protocol: TLSMemoryBIOProtocol, server: str) -> Connection:
        """
        :param server: the name or IP address that the certificate must be for.
        :return: a new connection for ``protocol``.
        """
        connection = self._options.clientConnectionForTLS(protocol)
        self._servers[connection] = server
        if not is_address(server):  # RFC 6066 section 3 allows no IP address as a server name
            connection.set_tlsext_host_name(server.encode("ascii"))
        return connection

    @cached_property
    def _options(self) -> CertificateOptions:
        """Made once, because reading the platform's authorities takes 10 ms."""
        own: dict[str, Any] = {}
        if self._identity is not None:
            own = {
                "certificate": self._identity.certificate,
                "privateKey": self._identity.key,
                "extraCertChain": self._identity.chain,
            }
        trust = platformTrust() if self._trusted is None else _trust(self._trusted)
        options = CertificateOptions(trustRoot=trust, **own)
        context = options.getContext()
        # Not the connection's callback: what that raises is lost (pyOpenSSL 26.4).
        context.set_verify(VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        if self._trusted is not None:
            # So that a server's own certificate can be trusted, without its authority.
            store: Any = context.get_cert_store()
            store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
        return options

    def _verify(
        self, connection: Connection, certificate: X509, code: int, depth: int, good: int
    ) -> bool:
        """The verify callback: called for every error, then for each certificate of the chain."""
        server = self._servers[connection]
        try:
            content = certificate.to_cryptography()
            own_trust = self._trusted is not None
            check_chain(0 if good else code, depth, content, server, own_trust=own_trust)
            if depth == 0:
                check_name(content, server)
        except CertificateRefused:
            raise  # do_handshake raises it, and so it becomes the reason of connectionLost
        except Exception as problem:
            raise CertificateRefused(
                f"the certificate of {server} cannot be read: {type(problem).__name__}"
            ) from problem
        return True


@implementer(IOpenSSLClientConnectionCreator)
class _Creator:
    """Makes the TLS connections to one server."""

    def __init__(self, policy: TLSPolicy, server: str) -> None:
        self._policy = policy
        self._server = server

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> Connection:
        return self._policy.connection(tlsProtocol, self._server)


@implementer(IPolicyForHTTPS)
class _ForProxies:
    def __init__(self, policy: TLSPolicy) -> None:
        self._policy = policy

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        return _Creator(self._policy, _bare_host(hostname))


def _bare_host(hostname: bytes) -> str:
    # A certificate for a link-local address does not name our interface, and one for a name
    # does not have the dot that may end a name.
    return hostname.decode("ascii").strip("[]").partition("%")[0].rstrip(".")


def _trust(certificates: Iterable[X509Certificate]) -> Any:
    return trustRootFromCertificates(
        [Certificate.loadPEM(one.public_bytes(Encoding.PEM)) for one in certificates]
    )


_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


def _server_name(option: str) -> str:
    name = option.strip("[]") if isinstance(option, str) else ""
    if is_address(name):
        return name
    name = ascii_name(name)
    if not _NAME.fullmatch(name) or ".." in name:
        raise InvalidOption(f"server_name is {option!r}: it must be a host name or an IP address")
    return name


# -- errors


_ALERT = re.compile(r"(?:sslv3|ssl/tls|tls|tlsv1|tlsv13) (?:alert )?(.*)")
"""The alerts of the other side, as OpenSSL 1.1 to 4 name them."""

_SHOW = "tls=TLSPolicy(certificate=..., private_key=...)"
_REFUSED = f"the server refused our certificate ({{reason}}); {_SHOW} shows another"
_NO_VERSION = "the server and we have no version of TLS in common ({reason})"
_NO_TLS = "the server does not speak TLS on that port: is it http:// there?"

_PERMANENT = {
    "certificate verify failed": "the server's certificate is not trusted ({reason})",
    "certificate required": f"the server asks for a certificate of ours; {_SHOW} shows one",
    # Some servers send it where no certificate was shown.
    "bad certificate": f"the server wants a certificate of ours, or another; {_SHOW} shows it",
    "unsupported certificate": _REFUSED,
    "certificate revoked": _REFUSED,
    "certificate expired": _REFUSED,
    "certificate unknown": _REFUSED,
    "unknown ca": _REFUSED,
    "access denied": _REFUSED,
    "handshake failure": "the server refused the handshake, with no reason given; if it asks for"
    f" a certificate of ours, {_SHOW} shows one",
    "unrecognized name": "the server does not know the name that it was asked for;"
    " tls=TLSPolicy(server_name=...) asks for another",
    "protocol version": _NO_VERSION,
    "unsupported protocol": _NO_VERSION,
    "wrong version number": _NO_TLS,
    "packet length too long": _NO_TLS,
}
"""The reasons that do not pass by themselves, and their texts."""


def is_tls_problem(problem: BaseException) -> bool:
    """Whether an exception is an error of TLS."""
    return isinstance(problem, TLSError | VerificationError)


def explain(problem: BaseException) -> str:
    """One line for people that says what an error of a connection means."""
    if isinstance(problem, CertificateRefused):
        return f"TLS: {problem}"
    if isinstance(problem, VerificationError):
        return "TLS: the server's certificate is for another host"
    if isinstance(problem, TLSError):
        reasons = _reasons(problem)
        for reason in reasons:
            if reason in _PERMANENT:
                return f"TLS: {_PERMANENT[reason].format(reason=reason)}"
        return shorten(f"TLS: {', '.join(reasons) or 'the connection broke off'}")
    return shorten(str(problem)) or type(problem).__name__


def permanent(problem: BaseException) -> bool:
    """Whether trying again cannot help, until a certificate or an option changes."""
    if isinstance(problem, CertificateRefused):
        return problem.permanent
    if isinstance(problem, TLSError):
        return any(reason in _PERMANENT for reason in _reasons(problem))
    return isinstance(problem, VerificationError)


def tls_failure(problem: BaseException, phase: Phase, what: str = "") -> TLSFailed | None:
    """
    :param what: what failed, in words that the reason follows.
    :return: the error of an attempt that TLS made fail; None for any other problem.
    """
    if not is_tls_problem(problem):
        return None
    text = explain(problem)
    return TLSFailed(f"{what}: {text}" if what else text, phase, permanent=permanent(problem))


def _reasons(problem: TLSError) -> list[str]:
    """OpenSSL's reasons, without the names of its libraries and functions."""
    queue = problem.args[0] if problem.args else None
    if not isinstance(queue, list):  # an error of the operating system
        return []
    return [_ALERT.sub(r"\1", str(entry[-1])) for entry in queue]
