"""
Which pages may use a server.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from txtokensock.errors import InvalidOption
from txtokensock.sockjs import same_origin
from txtokensock.web.server.origins import OriginPolicy


def request(secure: bool = False, **headers: str) -> Any:
    """A request to ``example.com``."""
    made = DummyRequest([b""])
    made.isSecure = lambda: secure  # type: ignore[method-assign]
    for name, value in {"Host": "example.com", **headers}.items():
        made.requestHeaders.setRawHeaders(name.replace("_", "-"), [value])
    return made


FOREIGN = (
    "http://evil.example",
    "http://example.com:81",
    "http://user@example.com",
    "http://example.com/page",
    "http://example.com:99999",
    "http://example.com:0",
    "http://exa\tmple.com",
    "http://ex\u00e4mple.com",
    "ftp://example.com",
    "example.com",
    "null",
    "*",
    "",
    "http://[",
)


class OriginPolicyTests(SynchronousTestCase):
    """What ``allowed_origins`` means."""

    def test_own(self) -> None:
        """None is the server's own origin, as ``Host`` names it."""
        policy = OriginPolicy(None)
        for origin in ("http://example.com", "http://EXAMPLE.com:80", "https://example.com"):
            self.assertTrue(policy.allow(request(Origin=origin)), origin)
        for origin in FOREIGN:
            self.assertFalse(policy.allow(request(Origin=origin)), origin)

    def test_logged_origin(self) -> None:
        """A line about a refused page has neither a user, nor a path, nor a query of it."""
        policy = OriginPolicy(None)
        for headers in (
            {"Origin": "https://ada:s3cret@evil.example"},
            {"Origin": "https://evil.example/s3cret?s3cret"},
            {"Sec_Fetch_Site": "cross-site", "Referer": "https://ada:s3cret@evil.example/s3cret"},
            {"Sec_Fetch_Site": "cross-site", "Referer": "?password=s3cret"},
        ):
            with capturedLogs() as logged:
                self.assertFalse(policy.allow(request(**headers)))
            self.assertNotIn("s3cret", repr(logged))

    def test_two(self) -> None:
        """What says two things of where it comes from is refused, whichever comes last."""
        policy = OriginPolicy(None)
        for name, values in (
            ("origin", ["http://evil.example", "http://example.com"]),
            ("sec-fetch-site", ["cross-site", "same-origin"]),
            ("host", ["evil.example", "example.com"]),
        ):
            made = request(Origin="http://example.com") if name == "host" else request()
            made.requestHeaders.setRawHeaders(name, values)
            self.assertFalse(policy.allow(made), name)

    def test_own_over_tls(self) -> None:
        """Over TLS a page that came without it is another origin."""
        policy = OriginPolicy(None)
        with capturedLogs() as logged:
            self.assertFalse(policy.allow(request(True, Origin="http://example.com")))
            self.assertFalse(policy.allow(request(True, Origin="http://evil.example")))
        scheme = "the page's scheme is http, the server's own is https"
        self.assertIn(scheme, str(formatEvent(logged[0])))
        self.assertNotIn("scheme", str(formatEvent(logged[1])))
        self.assertTrue(policy.allow(request(True, Origin="https://example.com")))

    def test_everyone(self) -> None:
        """A star is everybody, whatever the header holds."""
        policy = OriginPolicy("*")
        for origin in FOREIGN:
            self.assertTrue(policy.allow(request(Origin=origin)))
            self.assertTrue(policy.allow_script(request(Origin=origin), everyone=True))

    def test_listed(self) -> None:
        """A collection is what it lists, however that is written, and the own origin."""
        policy = OriginPolicy({"https://App.example:443/", "http://[::1]:8080", "null"})
        for origin in ("https://app.example", "http://[::1]:8080", "null", "http://example.com"):
            self.assertTrue(policy.allow(request(Origin=origin)), origin)
        for origin in ("http://app.example", "https://app.example/", "https://a.example"):
            self.assertFalse(policy.allow(request(Origin=origin)), origin)

    def test_callable(self) -> None:
        """A callable decides alone, and hears what the browser sent."""
        heard: list[str] = []

        def decide(_: Any, origin: str) -> bool:
            heard.append(origin)
            return origin == "https://App.example"

        policy = OriginPolicy(decide)
        self.assertTrue(policy.allow(request(Origin="https://App.example")))
        self.assertFalse(policy.allow(request(Origin="http://example.com")))
        self.assertFalse(policy.allow(request(Referer="https://b.example:1/page?secret")))
        self.assertEqual(
            heard, ["https://App.example", "http://example.com", "https://b.example:1"]
        )

    def test_raising_callable(self) -> None:
        """A callable that raises, whatever it is, refuses the page."""
        for error in (ValueError, SystemExit):

            def decide(_: Any, origin: str, error: Any = error) -> bool:
                raise error

            self.assertFalse(OriginPolicy(decide).allow(request(Origin="https://a.example")))
            self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_no_origin(self) -> None:
        """Without ``Origin``, what else the browser says counts."""
        policy = OriginPolicy(None)
        for headers, allowed, with_proof in (
            ({}, True, False),
            ({"Sec_Fetch_Site": "same-origin"}, True, True),
            ({"Sec_Fetch_Site": "none"}, True, True),
            ({"Sec_Fetch_Site": "cross-site"}, False, False),
            ({"Sec_Fetch_Site": "same-site"}, False, False),
            ({"Referer": "http://example.com/page"}, True, True),
            ({"Referer": "http://example.com"}, True, True),
            ({"Referer": "http://evil.example/page"}, False, False),
            ({"Referer": "junk"}, False, False),
        ):
            self.assertEqual(policy.allow(request(**headers)), allowed, headers)
            self.assertEqual(policy.allow_script(request(**headers)), with_proof, headers)

    def test_proof(self) -> None:
        """A script needs proof: ``Sec-Fetch-Site`` goes before ``Referer``, a star is none."""
        listed = "https://app.example"
        own, other = "http://example.com/page", "http://evil.example/"
        for allowed, headers, expected in (
            (None, {"Sec_Fetch_Site": "same-origin", "Referer": other}, True),
            (None, {"Sec_Fetch_Site": "cross-site", "Referer": own}, False),
            (None, {"Sec_Fetch_Site": "same-site", "Referer": own}, False),
            (None, {"Origin": "http://example.com"}, True),
            ([listed], {"Sec_Fetch_Site": "cross-site", "Referer": f"{listed}/a?b"}, True),
            ([listed], {"Sec_Fetch_Site": "cross-site", "Origin": listed}, True),
            ([listed], {"Referer": listed}, True),
            ([listed], {"Referer": f"{listed}.evil.example/"}, False),
            ([listed], {"Sec_Fetch_Site": "cross-site"}, False),
            ([listed], {"Origin": "http://evil.example", "Referer": listed}, False),
            ([listed], {}, False),
            (["null"], {"Origin": "null"}, False),
            (["null"], {"Referer": "about:client"}, False),
            ("*", {}, False),
            ("*", {"Sec_Fetch_Site": "cross-site", "Referer": listed}, False),
            ("*", {"Referer": own}, True),
            ("*", {"Sec_Fetch_Site": "same-origin"}, True),
            (lambda _, origin: origin == listed, {"Referer": f"{listed}/a"}, True),
            (lambda _, origin: origin == listed, {"Referer": own}, False),
        ):
            policy = OriginPolicy(allowed)
            self.assertEqual(policy.allow_script(request(**headers)), expected, (allowed, headers))

    def test_refused_script_is_logged(self) -> None:
        """The log says whose page was refused, and which option would allow it."""
        for allowed, option in (
            (None, "allowed_origins (serve --allowed-origin)"),
            ("*", "jsonp=True"),
        ):
            with capturedLogs() as events:
                OriginPolicy(allowed).allow_script(request(Referer="https://a.example/?secret"))
            (text,) = map(formatEvent, events)
            self.assertIn("https://a.example:", text)
            self.assertIn(option, text)

    def test_wrong(self) -> None:
        """What is not an origin is refused when it is set."""
        for wrong in ("https://good.example", b"*", 1, [None], ["*"], [""], ["a.example"]):
            self.assertRaises(InvalidOption, OriginPolicy, wrong)
        for junk in FOREIGN:
            if junk not in (
                "null",
                "http://evil.example",
                "http://example.com:81",
            ):
                self.assertRaises(InvalidOption, OriginPolicy, ["http://a.example", junk])

    def test_same_origin(self) -> None:
        """The old name works for a release, and says what to use instead."""
        self.assertTrue(same_origin(request(), "http://example.com"))
        self.assertFalse(same_origin(request(), "https://example.com"))
        warnings = self.flushWarnings([self.test_same_origin])
        self.assertEqual({each["category"] for each in warnings}, {DeprecationWarning})
        self.assertIn("allowed_origins=None", warnings[0]["message"])
