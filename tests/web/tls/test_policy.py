"""``TLSPolicy``: which servers it accepts, and what it says of the others."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from cryptography import x509
from OpenSSL.SSL import Error as TLSError
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface.verify import verifyObject

from tests.kit.certificates import HOUR, NOW, Authority, Issued, self_signed
from txtokensock import TLSPolicy
from txtokensock.testing.network import MemoryNetwork
from txtokensock.web.tls.certificates import CertificateRefused, check_chain
from txtokensock.web.tls.policy import explain, is_tls_problem, permanent

from .support import VERSIONS, TLSTestCase


class AcceptedTests(TLSTestCase):
    """Servers that it accepts, in both versions of TLS."""

    def check(self, policy: IPolicyForHTTPS, issued: Issued, host: str = "a.test") -> None:
        """Both sides can talk."""
        verifyObject(IPolicyForHTTPS, policy)
        for version in VERSIONS:
            network = self.serve(issued, version=version)
            client = self.bare(network, policy, host)
            self.assertIsNone(client.reason, client.reason and explain(client.reason))
            (server,) = self.served
            self.assertEqual(server.received, b"hello")
            client.transport.abortConnection()
            self.settle()

    def test_authority(self) -> None:
        """Of an authority of one's own, itself or by others between, for a name or an address."""
        between = Authority("Between", Authority("Far", self.authority))
        policy = TLSPolicy(authorities=self.authorities)
        self.check(policy, self.authority.server("a.test"))
        self.check(policy, between.server("a.test"))
        self.check(policy, self.authority.server("127.0.0.1"), "127.0.0.1")
        self.check(policy, self.authority.server("::1"), "::1")
        self.check(policy, self.authority.server("::1"), "[::1]")
        self.check(policy, self.authority.server("fe80::1"), "fe80::1%eth0")
        self.check(policy, self.authority.server("*.a.test"), "b.a.test.")
        self.check(policy, self.authority.server("a_b.test"), "a_b.test")

    def test_several(self) -> None:
        """A file may hold several authorities, and text between them."""
        other = Authority("Other")
        both = "Ämter\n".encode("latin-1").join([other.issued.pem, self.authority.issued.pem])
        policy = TLSPolicy(authorities=self.file(both))
        self.check(policy, self.authority.server("a.test"))
        self.check(policy, other.server("a.test"))

    def test_certificate_itself(self) -> None:
        """The server's own certificate is enough, whoever signed it."""
        for issued in (self_signed("a.test"), Authority("Nobody").server("a.test")):
            self.check(TLSPolicy(authorities=self.file(issued.pem)), issued)

    def test_server_name(self) -> None:
        """A certificate for another name, or an address, that the user expects."""
        for name in ("b.test", "B.test", "10.0.0.1", "::1", "[::1]"):
            policy = TLSPolicy(authorities=self.authorities, server_name=name)
            self.check(policy, self.authority.server(name.strip("[]").lower()))

    def test_proxies(self) -> None:
        """``server_name`` is not the name of a proxy on the way."""
        policy = TLSPolicy(authorities=self.authorities, server_name="b.test").for_proxies()
        self.check(policy, self.authority.server("a.test"))

    def test_platform(self) -> None:
        """Without authorities the platform's are trusted, as OpenSSL finds them."""
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(self.authorities)
        self.addCleanup(
            lambda: (
                os.environ.update(SSL_CERT_FILE=before)
                if before is not None
                else os.environ.pop("SSL_CERT_FILE")
            )
        )
        self.check(TLSPolicy(), self.authority.server("a.test"))

    def test_name_is_sent(self) -> None:
        """The server hears the name that it is asked for (SNI); of an address, nothing."""
        for host, option, sent in (
            ("a.test", None, b"a.test"),
            ("a.test", "bücher.test", b"xn--bcher-kva.test"),
            ("::1", None, None),
            ("::1", "b.test", b"b.test"),
        ):
            policy = TLSPolicy(authorities=self.authorities, server_name=option)
            hosts = ("a.test", "xn--bcher-kva.test", "b.test", "::1")
            self.bare(self.serve(self.authority.server(*hosts)), policy, host)
            (server,) = self.served
            self.assertEqual(server.transport.getHandle().get_servername(), sent)


class RefusedTests(TLSTestCase):
    """Servers that it does not accept."""

    def reason(self, policy: TLSPolicy, issued: Issued, host: str = "a.test") -> BaseException:
        """The same in both versions of TLS, and however one connects."""
        texts = set()
        for version in VERSIONS:
            network = self.serve(issued, version=version)
            reason = self.bare(network, policy, host).reason
            assert reason is not None
            self.assertTrue(is_tls_problem(reason))
            (server,) = self.served
            self.assertEqual(server.received, b"")
            self.assertIsInstance(server.reason, TLSError)  # it is told, by an alert
            texts.add(explain(reason))
            texts.add(explain(self.of_request(network, policy, host)))
            failed = self.failureResultOf(self.session(network, policy, host)).value
            self.assertIn(explain(reason), str(failed))
            self.assertEqual(network.open, [])
        self.assertEqual(len(texts), 1)
        return reason

    def of_request(self, network: MemoryNetwork, policy: TLSPolicy, host: str) -> Any:
        """Why Twisted's ``Agent`` failed."""
        failure: Any = self.failureResultOf(self.request(network, policy, host))
        return failure.value.reasons[0].value

    def check(self, policy: TLSPolicy, issued: Issued, *said: str, forever: bool = True) -> None:
        """It is refused, in so many words."""
        reason = self.reason(policy, issued)
        self.assertEqual(explain(reason), "TLS: " + "".join(said))
        self.assertEqual(permanent(reason), forever)

    def test_self_signed(self) -> None:
        """A certificate that nobody else signed, and the option that would allow it."""
        self.check(
            TLSPolicy(),
            self_signed("a.test"),
            "the certificate of a.test is self-signed; ",
            "tls=TLSPolicy(authorities=...) with it in the file allows it",
        )
        self.check(
            TLSPolicy(authorities=self.authorities),
            self_signed("a.test"),
            "the certificate of a.test is self-signed, ",
            "which authorities= of TLSPolicy does not hold",
        )

    def test_unknown_authority(self) -> None:
        """One of an authority that nobody trusts, which is named."""
        nobody = Authority("Nobody\nat \x1b[31mall")
        between = Authority("Between", nobody)
        named = "the certificate of a.test is signed by an unknown authority, "
        remedy = "; tls=TLSPolicy(authorities=...) with that authority's certificate in the file"
        for issued, name in (
            (nobody.server("a.test"), "'Nobody at \ufffd[31mall'"),
            (between.server("a.test"), "'Nobody at \ufffd[31mall'"),
            (Issued(*_pair(between.server("a.test"))), "'Between'"),
        ):
            self.check(TLSPolicy(), issued, named, name, remedy, " allows it")
        everything = between.server("a.test")
        whole = Issued(*_pair(everything), (*everything.chain, nobody.issued.certificate))
        self.check(
            TLSPolicy(authorities=self.authorities),
            whole,
            *(named, "'Nobody at \ufffd[31mall', which authorities= of TLSPolicy does not hold"),
        )

    def test_address_as_a_name(self) -> None:
        """An IP address among the names is a mistake that no other server_name mends."""
        policy = TLSPolicy(authorities=self.authorities)
        issued = self.authority.server(x509.DNSName("10.0.0.1"))
        self.assertEqual(
            explain(self.reason(policy, issued, "10.0.0.1")),
            "TLS: the certificate has 10.0.0.1 as a name, not as the IP address that it is: it"
            " must be issued again, with IP:... in its subjectAltName instead of DNS:...",
        )

    def test_weak(self) -> None:
        """What OpenSSL refuses for this machine's level of security is said in words."""
        for code, said in ((66, "key is too small"), (67, "key is too small"), (68, "digest")):
            with self.assertRaises(CertificateRefused) as refused:
                content = self.authority.issued.certificate
                check_chain(code, 1, content, "a.test", own_trust=True)
            self.assertIn(said, str(refused.exception))

    def test_dates(self) -> None:
        """Expired, and not valid yet, of which the latter passes."""
        policy = TLSPolicy(authorities=self.authorities)
        expired = self.authority.server("a.test", ends=NOW - timedelta(minutes=1))
        ended = f"{NOW - timedelta(minutes=1):%Y-%m-%d %H:%M} UTC"
        self.check(
            policy, expired, f"the certificate of a.test expired on {ended}: it must be renewed"
        )
        early = self.authority.server("a.test", starts=NOW + HOUR, ends=NOW + 2 * HOUR)
        start = f"{NOW + HOUR:%Y-%m-%d %H:%M} UTC"
        said = f"the certificate of a.test is not valid before {start}: is this machine's clock"
        self.check(policy, early, said, " right?", forever=False)

    def test_expired_authority(self) -> None:
        """What expired may be an authority's."""
        old = Authority("Old", self.authority, ends=NOW - timedelta(minutes=1))
        ended = f"{NOW - timedelta(minutes=1):%Y-%m-%d %H:%M} UTC"
        self.check(
            TLSPolicy(authorities=self.authorities),
            old.server("a.test"),
            f"the certificate of the authority 'Old' expired on {ended}: it must be renewed",
        )

    def test_purpose(self) -> None:
        """A client's certificate is none for servers."""
        client = self.authority.client()
        said = "the certificate of a.test is refused: invalid purpose"
        self.check(TLSPolicy(authorities=self.authorities), client, said)

    def test_other_host(self) -> None:
        """One for others says for whom, and which option expects it."""
        policy = TLSPolicy(authorities=self.authorities)
        self.check(
            policy,
            self.authority.server("b.test", "10.0.0.1", "*.c.test"),
            "the certificate is not for a.test but for b.test, 10.0.0.1, *.c.test;",
            " tls=TLSPolicy(server_name=...) asks for one of these",
        )
        names = [f"{number}.test" for number in range(40)]
        reason = self.reason(policy, self.authority.server(*names))
        self.assertIn("but for 0.test, 1.test, 2.test, 3.test, 4.test and 35 more;", str(reason))
        reason = self.reason(policy, self.authority.server("a.test"), "::1")
        self.assertIn("the certificate is not for ::1 but for a.test;", str(reason))

    def test_other_host_itself(self) -> None:
        """Nor is a certificate accepted for another name because it is trusted itself."""
        for issued in (self_signed("b.test"), Authority("Nobody").server("b.test")):
            reason = self.reason(TLSPolicy(authorities=self.file(issued.pem)), issued)
            self.assertIn("the certificate is not for a.test but for b.test;", str(reason))

    def test_server_name_is_required(self) -> None:
        """``server_name`` replaces the URL's host: that one does not count any more."""
        policy = TLSPolicy(authorities=self.authorities, server_name="b.test")
        reason = self.reason(policy, self.authority.server("a.test"))
        self.assertIn("the certificate is not for b.test but for a.test;", str(reason))

    def test_no_name(self) -> None:
        """One without any name is for nobody."""
        self.check(
            TLSPolicy(authorities=self.authorities),
            self.authority.server(),
            "the certificate of a.test names no host: it must be issued again, with a"
            " subjectAltName",
        )

    def test_nothing_is_mixed_up(self) -> None:
        """Connections of one policy do not hear of each other's certificates."""
        policy = TLSPolicy(authorities=self.authorities)
        network = self.serve(self.authority.server("a.test"))
        good, bad = (self.bare(network, policy, host) for host in ("a.test", "b.test"))
        self.assertIsNone(good.reason)
        self.assertIn("is not for b.test", str(bad.reason))
        self.assertIsNone(self.bare(network, policy, "a.test").reason)


def _pair(issued: Issued) -> tuple[Any, Any]:
    return issued.certificate, issued.key
