"""Which proxy is used for which server, and what is said of one that cannot be."""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import BrowserLikePolicyForHTTPS

from txtokensock.errors import InvalidOption
from txtokensock.web.client.http_connect import ConnectEndpoint
from txtokensock.web.client.proxies import Proxy, proxy_for
from txtokensock.web.client.proxy_endpoint import through
from txtokensock.web.client.socks import SocksEndpoint

SECRET = "s3cret"


class ParseTests(SynchronousTestCase):
    """URLs of proxies."""

    def test_forms(self) -> None:
        """What people write, and what it means."""
        for url, name in (
            ("http://10.0.0.1:3128", "http://10.0.0.1:3128"),
            ("http://proxy.test", "http://proxy.test:80"),
            ("https://proxy.test", "https://proxy.test:443"),
            ("https://proxy.test:80/", "https://proxy.test:80"),
            ("HTTP://Proxy.TEST:1", "http://proxy.test:1"),
            ("proxy.test:3128", "http://proxy.test:3128"),
            ("ada:pw@proxy.test:3128", "http://proxy.test:3128"),
            ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
            ("http://[::1]", "http://[::1]:80"),
            ("socks5://proxy.test", "socks5://proxy.test:1080"),
            ("socks5h://proxy.test:80", "socks5h://proxy.test:80"),
            ("socks://proxy.test/", "socks://proxy.test:1080"),
            ("socks5://[2001:db8::1]", "socks5://[2001:db8::1]:1080"),
            ("http://bücher.test:1", "http://xn--bcher-kva.test:1"),
        ):
            self.assertEqual(str(Proxy.parse(url)), name)

    def test_credentials(self) -> None:
        """They are percent-decoded, and sent as UTF-8; an @ may stand as it is."""
        for url, user, password, value in (
            ("http://ada:pw@h", "ada", "pw", "Basic YWRhOnB3"),
            ("http://ada:p%40%3A%2f@h", "ada", "p@:/", "Basic YWRhOnBAOi8="),
            ("http://ada:p@w@h", "ada", "p@w", "Basic YWRhOnBAdw=="),
            ("http://ada:a:b@h", "ada", "a:b", "Basic YWRhOmE6Yg=="),
            ("http://%C3%A9:%F0%9F%98%80@h", "é", "😀", "Basic w6k68J+YgA=="),
            ("http://ada@h", "ada", "", "Basic YWRhOg=="),
            ("http://:pw@h", "", "pw", "Basic OnB3"),
            ("http://h", None, None, None),
        ):
            proxy = Proxy.parse(url)
            self.assertEqual((proxy.user, proxy.password), (user, password), url)
            self.assertEqual(proxy.authorization, value, url)

    def test_socks_credentials(self) -> None:
        """SOCKS5 can send what HTTP cannot, and has a length for each."""
        for url, credentials in (
            ("socks5://h", None),
            ("socks5://ada:pw@h", ("ada", "pw")),
            ("socks5://a%3Ab:p%3Aw@h", ("a:b", "p:w")),
            ("socks5://ada@h", ("ada", "")),
            (f"socks5://{'a' * 255}:{'b' * 255}@h", ("a" * 255, "b" * 255)),
            (f"socks5://h%C3%A9:{'%C3%A9' * 127}@h", ("hé", "é" * 127)),
        ):
            self.assertEqual(Proxy.parse(url).credentials, credentials, url)
        for user, password in (
            ("a" * 256, SECRET),
            ("ada", SECRET + "b" * 250),
            ("ada", SECRET + "%C3%A9" * 125),
            ("", SECRET),
        ):
            for scheme in ("socks5", "socks5h", "socks"):
                with self.assertRaises(InvalidOption) as raised:
                    Proxy.parse(f"{scheme}://{user}:{password}@h")
                self.assertIn("proxy has a user or a password that SOCKS5", str(raised.exception))
                self.assertNotIn(SECRET, str(raised.exception))
            self.assertIsNotNone(Proxy.parse(f"http://{user}:{password}@h").authorization)

    def test_no_secret_in_texts(self) -> None:
        """Neither the repr nor the name holds user or password."""
        for scheme in ("http", "socks5"):
            proxy = Proxy.parse(f"{scheme}://ada:{SECRET}@h:1")
            for text in (repr(proxy), str(proxy), f"{proxy!r}"):
                self.assertNotIn(SECRET, text)
                self.assertNotIn("ada", text)

    def test_mistakes(self) -> None:
        """One line that names the option, quotes nothing, and hides no cause that does."""
        for url in (
            *("", "http://", "http://:1", "://h", "ftp://h:1", "socks4://h", "socks6://h", "::1"),
            *("http://h:0", "http://h:99999", "http://h:x", "http://a b", "http://h/path"),
            *("http://h?q", "http://h#f", "http://[::1", "http:///h", "http:h"),
            f"http://ada:{SECRET}/1@h:1",
            f"http://ada:{SECRET}#1@h:1",
            f"http://ada:{SECRET}?1@h:1",
            f"http://{SECRET}:1/2@h",
            f"{SECRET}://x@h",
            f"ada:{SECRET}://x@h",
            f"http://a%3Ab:{SECRET}@h",
            f"http://ada\udcff:{SECRET}@h",  # bytes of the environment that are no UTF-8
            f"http://ada:{SECRET}\udcff@h",
            f"http://%FF:{SECRET}@h",
            f"http://ada:{SECRET}%E9@h",
            f"socks5://ada:{SECRET}%E9@h",
        ):
            with self.assertRaises(InvalidOption) as raised:
                Proxy.parse(url)
            error = raised.exception
            self.assertTrue(str(error).startswith("proxy "), url)
            self.assertNotIn("\n", str(error))
            self.assertNotIn(SECRET, str(error))
            self.assertIsNone(error.__cause__)
            self.assertIsNone(error.__context__)


class EnvironmentTestCase(SynchronousTestCase):
    """With nothing about proxies in the environment."""

    def setUp(self) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy") and name != "REQUEST_METHOD"
        }
        patched = mock.patch.dict(os.environ, kept, clear=True)
        patched.start()
        self.addCleanup(patched.stop)

    def chosen(self, host: str = "server.test", port: int = 443, secure: bool = True) -> str:
        """The name of the environment's proxy for that server."""
        return str(proxy_for(True, host, port, secure=secure) or "none")


class EnvironmentTests(EnvironmentTestCase):
    """The environment's proxies."""

    def test_none(self) -> None:
        """By default there is none."""
        self.assertEqual(self.chosen(), "none")

    def test_kinds(self) -> None:
        """One for servers with TLS, one for those without, and one for what is left."""
        os.environ["ALL_PROXY"] = "http://all.test:1"
        self.assertEqual(self.chosen(), "http://all.test:1")
        self.assertEqual(self.chosen(secure=False), "http://all.test:1")
        os.environ["HTTPS_PROXY"] = "http://secure.test:1"
        self.assertEqual(self.chosen(), "http://secure.test:1")
        self.assertEqual(self.chosen(secure=False), "http://all.test:1")
        os.environ["HTTP_PROXY"] = "http://plain.test:1"
        self.assertEqual(self.chosen(), "http://secure.test:1")
        self.assertEqual(self.chosen(secure=False), "http://plain.test:1")

    def test_small_letters(self) -> None:
        """They take precedence; an empty one means none."""
        os.environ["HTTPS_PROXY"] = "http://big.test:1"
        os.environ["https_proxy"] = "http://small.test:1"
        self.assertEqual(self.chosen(), "http://small.test:1")
        os.environ["https_proxy"] = ""
        self.assertEqual(self.chosen(), "none")

    def test_cgi(self) -> None:
        """In a CGI program HTTP_PROXY is a header of whoever asked."""
        os.environ.update(HTTP_PROXY="http://evil.test:1", REQUEST_METHOD="GET")
        self.assertEqual(self.chosen(secure=False), "none")

    def test_loopback(self) -> None:
        """This machine is never looked for at a proxy of the environment."""
        os.environ["ALL_PROXY"] = "http://all.test:1"
        for host in (
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
        ):
            self.assertEqual(self.chosen(host), "none")
        for host in ("localhost.test", "128.0.0.1", "::2", "127.test"):
            self.assertEqual(self.chosen(host), "http://all.test:1")

    def test_no_proxy(self) -> None:
        """Names and what is below them, ports, networks, or everything."""
        os.environ["ALL_PROXY"] = "http://all.test:1"
        os.environ["NO_PROXY"] = (
            "a.test, .b.test,c.test:8443,10.9.0.1/8,fd00::/8, 192.168.0.1,2001:db8::1"
        )
        for host, port in (
            *(("a.test", 443), ("x.a.test", 443), ("b.test", 443), ("x.b.test", 1)),
            *(("c.test", 8443), ("10.1.2.3", 443), ("fd12::1", 443), ("192.168.0.1", 80)),
            ("2001:db8::1", 443),
        ):
            self.assertEqual(self.chosen(host, port), "none", host)
        for host, port in (
            *(("xa.test", 443), ("c.test", 443), ("11.0.0.1", 443), ("fe80::1", 443)),
            *(("192.168.0.10", 80), ("2001:db8::2", 443)),
        ):
            self.assertEqual(self.chosen(host, port), "http://all.test:1", host)
        os.environ["NO_PROXY"] = "*"
        self.assertEqual(self.chosen("elsewhere.test"), "none")

    def test_forms_of_no_proxy(self) -> None:
        """Those that curl takes, and those with ports that others do."""
        os.environ["ALL_PROXY"] = "http://all.test:1"
        for text, host, expected in (
            (".a.test", "a.test", True),
            (".a.test", "x.a.test", True),
            (".a.test.", "x.a.test", True),
            ("a.test.", "a.test", True),
            ("a.test", "a.test.", True),
            ("A.Test", "a.test", True),
            ("b.test a.test", "a.test", True),
            ("b.test,,\t  a.test", "a.test", True),
            ("b.test;a.test", "a.test", False),
            ("test", "x.a.test", True),
            ("a.test", "xa.test", False),
            ("b.test,*", "a.test", True),
            ("*.a.test", "x.a.test", False),
            ("a.test:80", "a.test", True),
            ("a.test:81", "a.test", False),
            ("bücher.test", "xn--bcher-kva.test", True),
            ("BÜCHER.test", "a.xn--bcher-kva.test", True),
            ("192.168.3.4", "192.168.3.4", True),
            ("192.168.3.4:80", "192.168.3.4", True),
            ("192.168.3.4:81", "192.168.3.4", False),
            ("192.168.3", "192.168.3.4", False),
            (".168.3.4", "192.168.3.4", False),
            ("192.168.0.0/16", "192.168.3.4", True),
            ("10.0.0.1/8", "10.2.3.4", True),
            ("10.0.0.0/33", "10.0.0.0", False),
            ("10.0.0.0/8", "10.test", False),
            ("fd12::1", "fd12::1", True),
            ("fd12:0::1", "fd12::1", True),
            ("[fd12::1]", "fd12::1", True),
            ("[fd12::1]:80", "fd12::1", True),
            ("[fd12::1]:81", "fd12::1", False),
            ("[fd12::]/16", "fd12::1", True),
            ("fd00::/8", "fd12::1", True),
            ("fe80::1", "fe80::1%eth0", True),
            (".", "a.test", False),
            ("", "a.test", False),
        ):
            os.environ["NO_PROXY"] = text
            chosen = "none" if expected else "http://all.test:1"
            self.assertEqual(self.chosen(host, 80), chosen, (text, host))
        os.environ.update(NO_PROXY="a.test", no_proxy="b.test")
        self.assertEqual(self.chosen("a.test"), "http://all.test:1")
        self.assertEqual(self.chosen("b.test"), "none")

    def test_mistakes(self) -> None:
        """The error names the variable as it is written, and not what is in it."""
        for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            with (
                mock.patch.dict(os.environ, {variable: f"gopher://ada:{SECRET}@h"}),
                self.assertRaises(InvalidOption) as raised,
            ):
                self.chosen()
            self.assertIn(f"{variable} in the environment ", str(raised.exception))
            self.assertNotIn(SECRET, str(raised.exception))


class OptionTests(EnvironmentTestCase):
    """The option."""

    def test_values(self) -> None:
        """A URL holds for every server, this machine too; False is none whatever else is."""
        os.environ.update(ALL_PROXY="http://all.test:1", NO_PROXY="*")
        for host in ("server.test", "localhost", "::1"):
            proxy = proxy_for("http://own.test:1", host, 80, secure=False)
            self.assertEqual(str(proxy), "http://own.test:1")
        del os.environ["NO_PROXY"]
        self.assertIsNone(proxy_for(False, "server.test", 80, secure=False))
        self.assertEqual(self.chosen(), "http://all.test:1")

    def test_mistakes(self) -> None:
        """What is neither."""
        values: list[Any] = [None, 1, 0, b"http://h", ["http://h"], ""]
        for value in values:
            with self.assertRaises(InvalidOption) as raised:
                proxy_for(value, "server.test", 80, secure=False)
            self.assertIn("proxy ", str(raised.exception))

    def test_socks(self) -> None:
        """A SOCKS proxy with a password, for any server; a mistake is told where it was made."""
        os.environ["ALL_PROXY"] = f"socks://ada:{SECRET}@h/"
        for host in ("server.test", "10.0.0.1", "2001:db8::1"):
            self.assertEqual(self.chosen(host), "socks://h:1080")
        os.environ["ALL_PROXY"] = f"socks5h://:{SECRET}@h"
        with self.assertRaises(InvalidOption) as raised:
            self.chosen()
        self.assertIn("ALL_PROXY in the environment has a user", str(raised.exception))
        self.assertNotIn(SECRET, str(raised.exception))


class ThroughTests(SynchronousTestCase):
    """The endpoint through a proxy."""

    def endpoint(self, url: str) -> Any:
        """To the server, through that proxy."""
        self.reactor: Any = MemoryReactorClock()
        policy = BrowserLikePolicyForHTTPS()
        return through(Proxy.parse(url), self.reactor, "server.test", 443, policy)

    def test_http(self) -> None:
        """TCP to the proxy, and CONNECT."""
        endpoint = self.endpoint(f"http://ada:{SECRET}@10.0.0.1:3128")
        self.assertIsInstance(endpoint, ConnectEndpoint)
        self.assertEqual(
            repr(endpoint), "<ConnectEndpoint to server.test:443 through http://10.0.0.1:3128>"
        )
        self.assertIsInstance(endpoint._proxy_endpoint, TCP4ClientEndpoint)

    def test_https(self) -> None:
        """TLS to the proxy."""
        endpoint = self.endpoint("https://10.0.0.1")
        self.assertIsInstance(endpoint, ConnectEndpoint)
        self.assertNotIsInstance(endpoint._proxy_endpoint, TCP4ClientEndpoint)

    def test_socks(self) -> None:
        """SOCKS, whatever it is called."""
        for scheme in ("socks5", "socks5h", "socks"):
            endpoint = self.endpoint(f"{scheme}://ada:{SECRET}@10.0.0.1")
            self.assertIsInstance(endpoint, SocksEndpoint)
            self.assertEqual(
                repr(endpoint),
                f"<SocksEndpoint to server.test:443 through {scheme}://10.0.0.1:1080>",
            )
