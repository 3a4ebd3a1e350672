"""
Addresses, in all forms that people write.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.address import Address, is_loopback, shown_url, url_host, url_path
from txtokensock.errors import InvalidAddress, InvalidOption


class ParseTests(SynchronousTestCase):
    """Address.parse."""

    def test_underscore(self) -> None:
        """As Docker has it in names, and browsers take it."""
        for name in ("my_host", "_dmarc.a.test", "a_"):
            self.assertEqual(Address.parse(f"{name}:8080"), Address(name, 8080))

    def test_forms(self) -> None:
        """Names and addresses, with and without port, scheme and path."""
        for text, expected in (
            ("localhost", ("localhost", 80, False, "")),
            ("localhost:3000", ("localhost", 3000, False, "")),
            ("foo.com:81", ("foo.com", 81, False, "")),
            ("1.2.3.4", ("1.2.3.4", 80, False, "")),
            ("1.2.3.4:8080", ("1.2.3.4", 8080, False, "")),
            ("::1", ("::1", 80, False, "")),
            ("2001:DB8::1", ("2001:db8::1", 80, False, "")),
            ("[::1]", ("::1", 80, False, "")),
            ("[::1]:80", ("::1", 80, False, "")),
            ("http://[::1]:8080", ("::1", 8080, False, "")),
            ("http://foo.com", ("foo.com", 80, False, "")),
            ("https://foo.com", ("foo.com", 443, True, "")),
            ("ws://foo.com", ("foo.com", 80, False, "")),
            ("wss://foo.com", ("foo.com", 443, True, "")),
            ("WSS://Foo.COM:8443", ("foo.com", 8443, True, "")),
            ("https://foo.com/", ("foo.com", 443, True, "")),
            ("https://foo.com/a/b/", ("foo.com", 443, True, "/a/b")),
            ("foo.com/a", ("foo.com", 80, False, "/a")),
            ("localhost:3000/a%20b", ("localhost", 3000, False, "/a%20b")),
            ("https://[::1]:1/x", ("::1", 1, True, "/x")),
            ("bücher.example", ("xn--bcher-kva.example", 80, False, "")),
            ("https://faß.de", ("xn--fa-hia.de", 443, True, "")),
            ("BÜCHER。example", ("xn--bcher-kva.example", 80, False, "")),
            ("\uff57\uff57\uff57.example", ("www.example", 80, False, "")),
            ("☃.net", ("xn--n3h.net", 80, False, "")),
            ("xn--fa-hia.de", ("xn--fa-hia.de", 80, False, "")),
            ("[fe80::1%25eth0]:8080", ("fe80::1%eth0", 8080, False, "")),
            ("[fe80::1%eth0]", ("fe80::1%eth0", 80, False, "")),
            ("fe80::1%2", ("fe80::1%2", 80, False, "")),
            ("[fe80::1%25]", ("fe80::1%25", 80, False, "")),
            ("a", ("a", 80, False, "")),
        ):
            address = Address.parse(text)
            parts = (address.host, address.port, address.secure, address.prefix)
            self.assertEqual(parts, expected, text)

    def test_port_option(self) -> None:
        """``port`` is for a host that names none."""
        self.assertEqual(Address.parse("foo.com", 8080).port, 8080)
        self.assertEqual(Address.parse("https://foo.com/a", 8443).port, 8443)
        self.assertEqual(Address.parse("::1", 8080).authority, "[::1]:8080")
        self.assertEqual([url_host("::1"), url_host("a.test")], ["[::1]", "a.test"])
        for host in ("foo.com:80", "http://foo.com:8080", "[::1]:80"):
            self.assertIn("port", str(self.assertRaises(InvalidAddress, Address.parse, host, 80)))

    def test_invalid(self) -> None:
        """What names no server is refused."""
        for text in (
            *("", " ", ":80", "http://", "http:///a", "ftp://foo.com", "foo.com:", "foo.com:x"),
            *(
                "foo.com:-1",
                "foo.com:0",
                "foo.com:65536",
                "foo.com:\uff18\uff10",
                "foo.com:80:80x",
            ),
            *("[::1", "[::1]80", "[::1]:", "[foo.com]:80", "::1::2", "foo..com", "-foo.com"),
            *("foo.com-", "foo com", "foo.com/a b", "foo.com/ü", "foo\n.com", "a.c" * 85),
            *("a" * 64, f"b.{'a' * 64}.test", "ü" * 58),
            *("[fe80::1%]", "[fe80::1%a b]", "1.2.3.4%eth0", "fe80::1%\ud800"),
            *("\u0378.test", "a\u200cb.test", "\u0661a\u05d0.test", "ü" * 60, "ab\u3002\u3002c"),
            *("http://http://foo.com", "foo.com?a=b", "foo.com/a#b", "//foo.com", "\ud800"),
        ):
            self.assertRaises(InvalidAddress, Address.parse, text)
        for value in (None, 5, b"foo.com", ["foo.com"]):
            self.assertRaises(InvalidAddress, Address.parse, value)

    def test_invalid_ports(self) -> None:
        """A port is a number from 1 to 65535."""
        for port in (0, -1, 65536, 80.0, "80", True):
            self.assertRaises(InvalidAddress, Address.parse, "foo.com", port)

    def test_no_secrets(self) -> None:
        """Credentials in a URL are refused, and not quoted."""
        for text in (
            "https://ada:s3cret@foo.com",
            "ada:s3cret@foo.com",
            "https://foo.com/?password=s3cret",
            "https://foo.com/#s3cret",
            "x://ada:s3cret@foo.com",
            "ada:s3cret@foo://bar",
        ):
            self.assertNotIn("s3cret", str(self.assertRaises(InvalidAddress, Address.parse, text)))

    @given(st.text() | st.text("htps:/[]1.a@%?#8 "))
    def test_any_text(self, text: str) -> None:
        """Any text is an address or InvalidAddress; what is one can be written and read."""
        try:
            address = Address.parse(text)
        except InvalidAddress:
            return
        self.assertEqual(Address.parse(str(address)), address)


class URLTests(SynchronousTestCase):
    """What an address is written as."""

    def test_urls(self) -> None:
        """Default ports are left out, IPv6 has brackets, the prefix comes first."""
        for text, url in (
            ("foo.com", "http://foo.com/t"),
            ("foo.com:443", "http://foo.com:443/t"),
            ("wss://foo.com", "https://foo.com/t"),
            ("https://foo.com:80/p/", "https://foo.com:80/p/t"),
            ("[::1]:8080", "http://[::1]:8080/t"),
        ):
            self.assertEqual(Address.parse(text).http_url("/t"), url)

    def test_paths(self) -> None:
        """Path options are given with or without slashes, and checked."""
        for text in ("a/b", "/a/b", "a/b/", "/a/b/", "//a/b//"):
            self.assertEqual(url_path("option", text), "/a/b")
        values: list[Any] = ["a b", "a?b", "a#b", "ü", "a\nb", None, 5, b"a"]
        for value in values:
            error = self.assertRaises(InvalidOption, url_path, "token_path", value)
            self.assertIn("token_path", str(error))


class ShownTests(SynchronousTestCase):
    """URLs of others, in texts."""

    def test_secrets(self) -> None:
        """Users, queries and fragments are left out, and nothing else."""
        for url, shown in (
            ("http://ada:s3cret@b.test/x?token=1#2", "http://b.test/x"),
            ("//s@3cret@b.test", "//b.test"),
            ("/users/a@b/x", "/users/a@b/x"),
            ("http://b.test/?a@b", "http://b.test/"),
            ("http://b.test?a@b", "http://b.test"),
            ("x#//a@b/", "x"),
            ("", ""),
        ):
            self.assertEqual(shown_url(url), shown)


class LoopbackTests(SynchronousTestCase):
    """Which hosts are this machine."""

    def test_loopback(self) -> None:
        """Names and addresses, also as a socket for both kinds of addresses has them."""
        for host in (
            *("localhost", "LocalHost", "a.localhost", "127.0.0.1", "127.255.0.9", "::1"),
            *("::ffff:127.0.0.1", "0:0:0:0:0:0:0:1", "::1%lo"),
        ):
            self.assertTrue(is_loopback(host), host)
        for host in (
            *("", "localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example", "0.0.0.0"),
            *("10.0.0.1", "::", "::ffff:10.0.0.1", "127.1", "[::1]", "2130706433"),
        ):
            self.assertFalse(is_loopback(host), host)
