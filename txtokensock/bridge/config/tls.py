"""
TLS to a server: whom we trust, and what we show.
"""

from __future__ import annotations

from ...web.tls.policy import TLSPolicy
from .section import Section

__all__ = ["TlsConfig"]


class TlsConfig(Section, frozen=True):
    """
    The options of :class:`~txtokensock.TLSPolicy`.

    :ivar authorities: a file of certificates, PEM, that sign the server's, or are it; by
        default the platform's.
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
