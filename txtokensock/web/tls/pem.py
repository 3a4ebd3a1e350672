"""
Certificates and keys from files, in PEM.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

from ...errors import InvalidOption

__all__ = ["FilePath", "Identity", "PEMText", "read_certificates", "read_identity"]


@dataclass(frozen=True)
class PEMText:
    """
    What would be in a file, from elsewhere.

    :ivar text: the certificates, or the key.
    :ivar source: where it is from, for people.
    """

    text: str = field(repr=False)
    source: str

    def __str__(self) -> str:
        return self.source


FilePath: TypeAlias = str | os.PathLike[str] | PEMText

# Other things may come before the key in its file, such as the parameters of its curve.
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True)
class Identity:
    """
    The certificate of a client, for servers that ask for one, and its key.

    :ivar chain: the certificates between ours and an authority that the server knows.
    """

    certificate: Certificate
    chain: tuple[Certificate, ...]
    key: Any


def read_certificates(option: str, path: FilePath) -> list[Certificate]:
    """
    :param option: the option that names the file, for error texts.
    :return: the certificates, at least one.
    :raises InvalidOption: if the file cannot be read, or holds none.
    """
    text = _read(option, path)
    if b"-----END CERTIFICATE-----" not in text:
        raise InvalidOption(f"{option}: the file {path} holds no certificate in PEM")
    try:
        return load_pem_x509_certificates(text)
    except ValueError:
        raise InvalidOption(f"{option}: the file {path} holds a broken certificate") from None


def read_identity(certificate: FilePath | None, private_key: FilePath | None) -> Identity | None:
    """
    :param certificate: the file with the certificate, followed by its chain.
    :param private_key: the file with its key; by default the same file.
    :return: None if neither is given.
    :raises InvalidOption: if one cannot be used, or they do not belong together.
    """
    if certificate is None:
        if private_key is not None:
            raise InvalidOption("a private key cannot be used without a certificate")
        return None
    own, *chain = read_certificates("certificate", certificate)
    key = _read_key(certificate if private_key is None else private_key, private_key is not None)
    try:
        matching = own.public_key() == key.public_key()
    except (UnsupportedAlgorithm, ValueError):
        raise InvalidOption(
            f"certificate: the file {certificate} has a key of an unknown kind"
        ) from None
    if not matching:
        raise InvalidOption(
            f"the private key in {private_key or certificate} is not that of the certificate in"
            f" {certificate}"
        )
    return Identity(own, tuple(chain), key)


def _read_key(path: FilePath, separate: bool) -> Any:
    """:param separate: whether the file was given for the key alone."""
    block = _KEY.search(_read("private key", path))
    if block is None and not separate:
        raise InvalidOption(f"certificate: {path} holds no private key in PEM: name its file, too")
    if block is None:
        raise InvalidOption(f"private key: the file {path} holds none in PEM")
    try:
        return load_pem_private_key(block[0], None)
    except TypeError:
        raise InvalidOption(
            f"private key: the one in {path} is encrypted: decrypt it, and protect the file"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidOption(
            f"private key: the one in {path} is broken, or of a kind that cannot be used"
        ) from None


def _read(option: str, path: FilePath) -> bytes:
    if isinstance(path, PEMText):
        return path.text.encode()
    if not isinstance(path, str | os.PathLike):
        raise InvalidOption(f"{option} is {path!r}: it must be the path of a file")
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise InvalidOption(f"{option}: {path} cannot be read: {problem.strerror}") from None
    except ValueError:  # a NUL
        raise InvalidOption(f"{option} is {path!r}: no file has such a path") from None
