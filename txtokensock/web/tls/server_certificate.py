"""
The certificate that a server shows, which can be renewed while it listens.
"""

from __future__ import annotations

from typing import Any

from OpenSSL.SSL import Context
from OpenSSL.SSL import Error as TLSError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLContextFactory,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from ...errors import InvalidOption
from .pem import FilePath, read_identity
from .policy import explain

__all__ = ["ServerCertificate", "TLSServerEndpoint"]


@implementer(IOpenSSLContextFactory)
class ServerCertificate:
    """
    A certificate and its key, as they were when the files were read.

    :param certificate: a file, PEM, with the certificate, followed by those of intermediate
        authorities.
    :param private_key: a file with its key; by default the same file.
    :raises InvalidOption: if a file cannot be used.
    """

    def __init__(self, certificate: FilePath, private_key: FilePath | None = None) -> None:
        identity = read_identity(certificate, private_key)
        assert identity is not None
        self._identity = identity
        options = CertificateOptions(
            certificate=identity.certificate,  # type: ignore[arg-type]  # cryptography's, too
            privateKey=identity.key,
            extraCertChain=identity.chain,  # type: ignore[arg-type]
        )
        try:
            self._context: Any = options.getContext()
        except (TLSError, TypeError, ValueError) as problem:
            raise InvalidOption(f"certificate cannot be used: {explain(problem)}") from None

    def become(self, other: ServerCertificate) -> bool:
        """
        Show another certificate to who connects from now on; other connections go on.

        :return: whether it is another.
        """
        differs = other._identity.certificate != self._identity.certificate
        self._identity, self._context = other._identity, other._context
        return differs

    def getContext(self) -> Context:
        """The context of the next connection."""
        context: Context = self._context
        return context


@implementer(IStreamServerEndpoint)
class TLSServerEndpoint:
    """
    An endpoint whose connections use TLS.

    :param endpoint: listens.
    :param certificate: is shown to each client.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, certificate: ServerCertificate) -> None:
        self._endpoint = endpoint
        self._certificate = certificate

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen for connections that begin with a handshake."""
        factory = TLSMemoryBIOFactory(self._certificate, False, protocolFactory)
        return self._endpoint.listen(factory)
