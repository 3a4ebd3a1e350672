"""
TLS to a server: which certificates are trusted, and which is shown.
"""

from __future__ import annotations

from ..web.tls.policy import TLSPolicy
from .section import Section

__all__ = ["TlsConfig"]


class TlsConfig(Section, frozen=True):
    """
    The options of :class:`~txtokensock.TLSPolicy`.

    :ivar authorities: a file of certificates, PEM, of authorities or of the server itself; by
        default the platform's authorities.
    :ivar certificate: a file, PEM, with our certificate, for servers that ask for one.
    :ivar key: a file, PEM, with the private key for it; by default the same file.
    :ivar server_name: the name that the server's certificate must be for; by default the
        one that is connected to.
    """

    authorities: str | None = None
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None

    def policy(self) -> TLSPolicy:
        """
        What decides on certificates; the files are read now.

        :raises InvalidOption: if one cannot be used.
        """
        return TLSPolicy(
            authorities=self.authorities,
            certificate=self.certificate,
            private_key=self.key,
            server_name=self.server_name,
        )
