"""What goes wrong with TLS besides the server's certificate: in words, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from OpenSSL.crypto import X509
from OpenSSL.SSL import Error as TLSError
from OpenSSL.SSL import SysCallError
from service_identity import VerificationError
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, TLSVersion, optionsForClientTLS
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from tests.kit.certificates import NOW, Authority, Issued
from txtokensock import TLSFailed, TLSPolicy
from txtokensock.testing.network import MemoryNetwork
from txtokensock.web.tls.policy import explain, is_tls_problem, permanent, tls_failure

from .support import VERSIONS, Ends, TLSTestCase

SHOW = "tls=TLSPolicy(certificate=..., private_key=...)"


class ClientCertificateTests(TLSTestCase):
    """Servers that ask for a certificate."""

    def reason(self, version: TLSVersion, issued: Issued | None) -> BaseException | None:
        """Why a connection ended, with this certificate to show."""
        files: dict[str, Any] = {}
        if issued is not None:
            files["certificate"], files["private_key"] = issued.write(self.directory, "client")
        policy = TLSPolicy(authorities=self.authorities, **files)
        network = self.serve(
            self.authority.server("a.test"), version=version, clients_of=[self.authority]
        )
        return self.bare(network, policy, "a.test").reason

    def test_shown(self) -> None:
        """A certificate, also one with a chain, is shown to who asks for it."""
        between = Authority("Between", self.authority)
        for version in VERSIONS:
            for issued in (self.authority.client("ada"), between.client("ada")):
                self.assertIsNone(self.reason(version, issued))
                (server,) = self.served
                self.assertEqual(server.received, b"hello")
                shown = server.transport.getPeerCertificate().to_cryptography()
                self.assertEqual(shown.subject.rfc4514_string(), "CN=ada")

    def test_missing(self) -> None:
        """That one is needed can be told from the error; before TLS 1.3, guessed."""
        for version, said in zip(
            VERSIONS,
            (
                "the server refused the handshake, with no reason given; if it asks for a"
                f" certificate of ours, {SHOW} shows one",
                f"the server asks for a certificate of ours; {SHOW} shows one",
            ),
            strict=True,
        ):
            reason = self.reason(version, None)
            assert reason is not None
            self.assertEqual(explain(reason), f"TLS: {said}")
            self.assertTrue(permanent(reason))

    def test_refused(self) -> None:
        """One that the server does not like, and why it does not."""
        for issued, why in (
            (Authority("Nobody").client(), "unknown ca"),
            (self.authority.client(ends=NOW - timedelta(minutes=1)), "certificate expired"),
            (self.authority.server("a.test"), "unsupported certificate"),
        ):
            for version in VERSIONS:
                reason = self.reason(version, issued)
                assert reason is not None
                said = f"TLS: the server refused our certificate ({why}); {SHOW} shows another"
                self.assertEqual(explain(reason), said)
                self.assertTrue(permanent(reason))


class OtherServersTests(TLSTestCase):
    """What is no TLS server, or not one for us."""

    def check(self, answer: bytes, said: str, *, forever: bool = True) -> None:
        """What is said of a server that answers so, and whether that may pass."""

        network = MemoryNetwork(self.clock, Factory.forProtocol(_answering(answer)))
        reason = self.bare(network, TLSPolicy(), "a.test").reason
        assert reason is not None
        self.assertEqual(explain(reason), said)
        self.assertEqual(permanent(reason), forever)

    def alert(self, number: int) -> bytes:
        """A fatal one, RFC 8446 section 6."""
        return bytes([21, 3, 3, 0, 2, 2, number])

    def test_no_tls(self) -> None:
        """Who speaks something else is asked for ``http``."""
        for answer in (
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"-ERR unknown command\r\n",
            b"\0" * 40,
        ):
            said = "TLS: the server does not speak TLS on that port: is it http:// there?"
            self.check(answer, said)

    def test_alerts(self) -> None:
        """Those that name an option, and one that names nothing."""
        self.check(
            self.alert(112),
            "TLS: the server does not know the name that it was asked for;"
            " tls=TLSPolicy(server_name=...) asks for another",
        )
        no_version = "TLS: the server and we have no version of TLS in common (protocol version)"
        self.check(self.alert(70), no_version)
        wanted = f"TLS: the server wants a certificate of ours, or another; {SHOW} shows it"
        self.check(self.alert(42), wanted)
        self.check(self.alert(80), "TLS: internal error", forever=False)

    def test_silence(self) -> None:
        """A connection that just ends is no matter of TLS, and may do better next time."""
        for answer in (b"", b"HT", bytes([22, 3, 3, 1, 0])):
            network = MemoryNetwork(self.clock, Factory.forProtocol(_answering(answer)))
            reason = self.bare(network, TLSPolicy(), "a.test").reason
            self.assertIsInstance(reason, ConnectionLost)
            assert reason is not None
            self.assertFalse(is_tls_problem(reason))
            self.assertFalse(permanent(reason))

    def test_other_policies(self) -> None:
        """Policies that are not ours say less, but the same in substance."""
        policy = BrowserLikePolicyForHTTPS()
        network = self.serve(self.authority.server("a.test"))
        reason = self.bare(network, policy, "a.test").reason
        assert reason is not None
        said = "TLS: the server's certificate is not trusted (certificate verify failed)"
        self.assertEqual(explain(reason), said)
        self.assertTrue(permanent(reason))

        reason = self.bare(network, _Trusting(self.authority), "b.test").reason
        assert reason is not None
        self.assertIsInstance(reason, VerificationError)
        self.assertEqual(explain(reason), "TLS: the server's certificate is for another host")
        self.assertTrue(permanent(reason))


class FailureTests(SynchronousTestCase):
    """Errors of attempts, and words for any error."""

    def test_tls_failure(self) -> None:
        """There is one for TLS's errors alone; it knows the phase, and whether to go on."""
        for name, forever in (("tlsv1 alert unknown ca", True), ("bad signature", False)):
            error = tls_failure(TLSError([("SSL routines", "", name)]), "handshake", "no session")
            assert error is not None
            self.assertIsInstance(error, TLSFailed)
            self.assertEqual((error.phase, error.permanent), ("handshake", forever))
            self.assertTrue(str(error).startswith("no session: TLS: "), str(error))
        error = tls_failure(TLSError([("SSL routines", "", "bad signature")]), "token")
        self.assertEqual(str(error), "TLS: bad signature")
        self.assertIsNone(tls_failure(ConnectionRefusedError(), "connect"))

    def test_names_of_alerts(self) -> None:
        """They differ from one OpenSSL to the other."""
        for prefix in ("sslv3 alert ", "ssl/tls alert ", "tls alert ", "tlsv1 ", "tlsv13 alert "):
            problem = TLSError([("SSL routines", "", f"{prefix}certificate required")])
            self.assertIn("the server asks for a certificate", explain(problem))

    def test_anything(self) -> None:
        """One line, whatever it is; a peer's text is cut."""
        for problem, said in (
            (TLSError(), "TLS: the connection broke off"),
            (TLSError([]), "TLS: the connection broke off"),
            (SysCallError(-1, "Unexpected EOF"), "TLS: the connection broke off"),
            (ValueError("a\nb"), "a b"),
            (ValueError(), "ValueError"),
        ):
            self.assertEqual(explain(problem), said)
            self.assertFalse(permanent(problem))
        self.assertLessEqual(len(explain(TLSError([("", "", "x" * 1000)]))), 200)


def _answering(answer: bytes) -> type[Ends]:
    """A server that gives one answer and closes."""

    class Server(Ends):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(answer)
            self.transport.loseConnection()

    return Server


@implementer(IPolicyForHTTPS)
class _Trusting:
    """One of an application's own."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        trusted = Certificate(X509.from_cryptography(self._authority.issued.certificate))
        return optionsForClientTLS(hostname.decode(), trustRoot=trusted)
