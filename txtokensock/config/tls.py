"""
TLS to a server: which certificates are trusted, and which is shown.
"""

from __future__ import annotations

from ..web.tls.pem import FilePath, PEMText
from ..web.tls.policy import TLSPolicy
from .section import Secret, Section

__all__ = ["TlsConfig", "key_file"]


class TlsConfig(Section, frozen=True):
    """
    The options of :class:`~txtokensock.TLSPolicy`.

    :ivar authorities: a file of certificates, PEM, of authorities or of the server itself; by
        default the platform's authorities.
    :ivar certificate: a file, PEM, with our certificate, for servers that ask for one.
    :ivar key: a file, PEM, with the private key for it, or a secret that holds the key; by default
        the same file.
    :ivar server_name: the name that the server's certificate must be for; by default the
        one that is connected to.
    """

    authorities: str | None = None
    certificate: str | None = None
    key: str | Secret | None = None
    server_name: str | None = None

    def policy(self) -> TLSPolicy:
        """
        What decides on certificates; the files are read now.

        :raises InvalidOption: if one cannot be used.
        """
        return TLSPolicy(
            authorities=self.authorities,
            certificate=self.certificate,
            private_key=key_file(self.key),
            server_name=self.server_name,
        )


def key_file(key: str | Secret | None) -> FilePath | None:
    """
    :param key: a file, or a secret.
    :return: what holds the key.
    :raises InvalidOption: if the secret cannot be read.
    """
    if not isinstance(key, Secret):
        return key
    source = f"the environment variable {key.env}" if key.file is None else key.file
    return PEMText(key.reveal(), source)
