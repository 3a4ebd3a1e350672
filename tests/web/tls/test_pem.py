"""The files of a ``TLSPolicy``, and what is wrong with them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.certificates import Authority, self_signed
from txtokensock import InvalidOption, TLSPolicy

PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


class FilesTests(SynchronousTestCase):
    """With files of two servers."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-tls-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.a, self.b = self_signed("a.test"), self_signed("b.test")
        self.a.write(self.directory, "a")
        self.b.write(self.directory, "b")

    def file(self, content: bytes, name: str = "file") -> str:
        """A new file."""
        path = self.directory / name
        path.write_bytes(content)
        return str(path)

    def path(self, name: str) -> str:
        """One that is there, or not."""
        return str(self.directory / name)

    def check(self, said: str, **options: Any) -> None:
        """These options are refused, at once and in one line that names no key."""
        problem = self.assertRaises(InvalidOption, TLSPolicy, **options)
        self.assertIn(said, str(problem))
        self.assertNotIn("\n", str(problem))
        self.assertNotIn("BEGIN", str(problem))

    def test_paths(self) -> None:
        """Paths are text or path objects."""
        TLSPolicy(
            authorities=self.path("a.pem"),
            certificate=self.directory / "a.pem",
            private_key=self.directory / "a.key",
        )
        self.check("authorities is 5: it must be the path of a file", authorities=5)
        self.check("certificate is b'a': it must be the path", certificate=b"a")
        self.check("no file has such a path", authorities="a\0b")
        self.check("none cannot be read: No such file or directory", authorities=self.path("none"))
        self.check(" cannot be read: Is a directory", authorities=self.directory)

    def test_authorities(self) -> None:
        """A file without certificates, or with one that is none."""
        self.check("holds no certificate in PEM", authorities=self.file(b""))
        self.check("holds no certificate in PEM", authorities=self.path("a.key"))
        self.check("holds no certificate in PEM", authorities=self.file(self.a.pem[:-20]))
        self.check(
            "holds a broken certificate",
            authorities=self.file(self.a.pem + self.b.pem.replace(b"M", b"N", 3)),
        )

    def test_key(self) -> None:
        """The key has its own file or is in the certificate's, behind what else is there."""
        TLSPolicy(certificate=self.path("a.pem"), private_key=self.path("a.key"))
        TLSPolicy(certificate=self.file(self.a.pem + self.a.key_pem()))
        TLSPolicy(certificate=self.file(self.a.key_pem() + self.a.pem))
        traditional = self.a.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        TLSPolicy(certificate=self.file(PARAMETERS + traditional + self.a.pem))

    def test_bad_key(self) -> None:
        """One that is not there, broken, another's or encrypted; nobody asks for a passphrase."""
        self.check("a private key cannot be used without a certificate", private_key="key")
        certificate = self.path("a.pem")
        self.check("holds no private key in PEM: name its file, too", certificate=certificate)
        for content, said in (
            (b"", "private key: the file"),
            (self.a.pem, "private key: the file"),
            (self.b.key_pem(), "is not that of the certificate in"),
            (self.a.key_pem(b"secret"), "is encrypted: decrypt it, and protect the file"),
            (
                self.a.key_pem().replace(b"M", b"N", 9),
                "is broken, or of a kind that cannot be used",
            ),
        ):
            self.check(said, certificate=certificate, private_key=self.file(content))

    def test_weak_key(self) -> None:
        """One that OpenSSL would not use."""
        weak = self_signed("a.test", key=rsa.generate_private_key(65537, 1024))
        file = self.file(weak.pem + weak.key_pem())
        self.check("certificate cannot be used: TLS: ee key too small", certificate=file)

    def test_chain(self) -> None:
        """A file may hold the chain, and the first certificate is ours."""
        between = Authority("Between", Authority("Far"))
        issued = between.client()
        TLSPolicy(certificate=self.file(issued.pem + issued.key_pem()))
        upside_down = between.issued.pem + issued.pem + issued.key_pem()
        self.check("is not that of the certificate in", certificate=self.file(upside_down))

    def test_server_name(self) -> None:
        """It is a host name or an IP address, and nothing else of a URL."""
        for name in (
            "",
            " ",
            "a b",
            "a.test:443",
            "https://a.test",
            "a..test",
            "-a",
            "x" * 300,
            5,
        ):
            self.check("it must be a host name or an IP address", server_name=name)
