"""
Which cookies are taken, and which are sent back: as browsers do (RFC 6265bis).
"""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.web.client.cookies import cookie_header, new_jar, take_cookies


class CookieTests(SynchronousTestCase):
    """What an answer sets, and where that goes."""

    def sent(self, set_cookie: str, by: str, to: str | None = None) -> str:
        """The ``Cookie`` of a request to ``to``, after an answer of ``by`` set it."""
        jar = new_jar()
        take_cookies(jar, by, [set_cookie.encode()])
        return cookie_header(jar, to or by)

    def test_where(self) -> None:
        """For the host that set it or the domain that it names, below the path, on any port."""
        for set_cookie, by, to, sent in (
            ("a=1", "http://a.test/x/y", "http://a.test/x/z", "a=1"),
            ("a=1", "http://a.test/x/y", "http://a.test/", ""),
            ("a=1; Path=/", "http://a.test/x/y", "http://a.test/", "a=1"),
            ("a=1; Path=/x", "http://a.test/", "http://a.test/xy", ""),
            ("a=1; Path=/", "http://a.test:8080/", "https://a.test/", "a=1"),
            ("a=1; Path=/", "http://a.test/", "http://b.a.test/", ""),
            ("a=1; Path=/; Domain=a.test", "http://b.a.test/", "http://c.a.test/", "a=1"),
            ("a=1; Path=/; Domain=.a.test", "http://b.a.test/", "http://a.test/", "a=1"),
            ("a=1; Path=/; Domain=c.a.test", "http://b.a.test/", "http://c.a.test/", ""),
            ("a=1; Path=/; Domain=test", "http://a.test/", "http://b.test/", ""),
            ("a=1; Path=/; Domain=", "http://a.test/", "http://a.test/", "a=1"),
            ("a=1; Path=/; Domain=localhost", "http://localhost/", None, "a=1"),
            ("a=1; Path=/; Domain=127.0.0.1", "http://127.0.0.1/", None, "a=1"),
            ("a=1; Path=/; Domain=127.0.0.2", "http://127.0.0.1/", None, ""),
            ("a=1; Path=/", "http://[::1]:80/", None, "a=1"),
            ("a=1; Path=/", "http://[fe80::1%eth0]:80/", None, "a=1"),
            ('a="1 2"; Path=/', "http://a.test/", None, 'a="1 2"'),
        ):
            self.assertEqual(self.sent(set_cookie, by, to), sent, set_cookie)

    def test_secure(self) -> None:
        """One for TLS alone is neither set without TLS nor sent without."""
        tls, clear = "https://a.test/", "http://a.test/"
        self.assertEqual(self.sent("a=1; Secure", tls), "a=1")
        self.assertEqual(self.sent("a=1; Secure", tls, clear), "")
        self.assertEqual(self.sent("a=1; Secure", clear), "")
        self.assertEqual(self.sent("a=1; secure=", clear, tls), "")

    def test_prefixes(self) -> None:
        """Names that promise how they were set are taken from who keeps the promise."""
        tls, clear = "https://a.test/", "http://a.test/"
        for set_cookie, by, taken in (
            ("__Secure-a=1; Secure", tls, True),
            ("__Secure-a=1", tls, False),
            ("__secure-a=1", clear, False),
            ("__Host-a=1; Secure; Path=/", tls, True),
            ("__Host-a=1; Secure", tls, False),
            ("__Host-a=1; Path=/", tls, False),
            ("__Host-a=1; Secure; Path=/; Domain=a.test", tls, False),
            ("__HOST-a=1; Secure; Path=/; Domain=", tls, True),
        ):
            self.assertEqual(bool(self.sent(set_cookie, by)), taken, set_cookie)

    def test_expiry(self) -> None:
        """One that is over is not sent; ``Max-Age`` counts before ``Expires``."""
        past = "Thu, 01 Jan 1970 00:00:00 GMT"
        future = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))
        for attributes, sent in (
            ("Max-Age=60", True),
            ("Max-Age=0", False),
            ("Max-Age=-1", False),
            (f"Expires={future}", True),
            (f"Expires={past}", False),
            (f"Max-Age=60; Expires={past}", True),
            (f"Expires={future}; Max-Age=0", False),
            ("Expires=nonsense", True),
            ("Expires=Thu Jan  1 00:00:00 1970", False),
            ("Expires=Thursday, 01-Jan-70 00:00:00 GMT", False),
            ("Max-Age=1.5", True),
            (f"Max-Age=soon; Expires={past}", False),
            ("Max-Age=0; Max-Age=60", True),
            ("Max-Age=" + "9" * 5000, True),
            ("Max-Age=-" + "9" * 5000, False),
        ):
            cookie = self.sent(f"a=1; {attributes}", "http://a.test/")
            self.assertEqual(bool(cookie), sent, attributes)

    def test_attributes(self) -> None:
        """One that is not valid is as if it were not there; of several, the last one counts."""
        for attributes in (
            "Max-Age",
            "Max-Age=",
            "Path",
            "Path=x",
            'Path="/other"',
            "Path=/other; Path=/x",
            "Domain=b.test; Domain=a.test",
            'Port="81"',
            "Version=2",
            "Version=x",
            "Comment; Discard; Unknown=1",
        ):
            sent = self.sent(f"a=1; {attributes}", "http://a.test/x/y")
            self.assertEqual(sent, "a=1", attributes)

    def test_others_in_the_answer(self) -> None:
        """What is wrong with one cookie is nothing to the others of the same answer."""
        for wrong in (b"a=1; Max-Age", b"a=1; Max-Age=" + b"9" * 400, b"a=\xff", b"=", b";", b""):
            jar = new_jar()
            take_cookies(jar, "http://a.test/", [b"b=1", wrong, b"c=1"])
            sent = cookie_header(jar, "http://a.test/").split("; ")
            self.assertEqual([one for one in sent if one != "a=1"], ["b=1", "c=1"], wrong)

    def test_without_a_name(self) -> None:
        """Such a cookie is its value."""
        for set_cookie in ("abc", "=abc"):
            self.assertEqual(self.sent(set_cookie, "http://a.test/"), "abc")

    def test_replaced(self) -> None:
        """The newest value counts, and one that is over takes the older with it."""
        jar = new_jar()
        take_cookies(jar, "http://a.test/", [b"a=1", b"b=1", b"a=2"])
        self.assertEqual(cookie_header(jar, "http://a.test/"), "a=2; b=1")
        take_cookies(jar, "http://a.test/", [b"a=; Max-Age=0"])
        self.assertEqual(cookie_header(jar, "http://a.test/"), "b=1")
        take_cookies(jar, "http://a.test/", [b"c=1", b"c=; Max-Age=0"])
        self.assertEqual(cookie_header(jar, "http://a.test/"), "b=1")
