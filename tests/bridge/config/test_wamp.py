"""
What is refused in ``[wamp]``, and the names that a ``*`` stands for.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.arguments import arguments_of, data_of
from txtokensock.bridge.config.wamp import WampConfig, problems
from txtokensock.bridge.config.wamp_component import component_options
from txtokensock.bridge.wamp.challenge import signature
from txtokensock.errors import InvalidOption

GOOD: dict[str, Any] = {"url": "ws://127.0.0.1:8080/ws", "realm": "realm1"}
NEWS = {"channel": "news", "topic": "com.news", "direction": "both"}
MANY = {"channel": "a-*", "topic": "com.a.*", "direction": "both"}


def found(**fields: Any) -> list[str]:
    """The problems of a section, a line each."""
    return list(map(str, problems(msgspec.convert({**GOOD, **fields}, WampConfig), "wamp")))


class Refusals(SynchronousTestCase):
    """Each mistake is one line that begins with the path of the value."""

    def test_good(self) -> None:
        """No problem where there is none."""
        fields: dict[str, Any] = {
            "channels": [NEWS, {**MANY, "channels": ["a-1"]}],
            "calls": [{"procedure": "com.rpc.*", "rpc": "*"}],
            "actions": [{"action": "a.b", "procedure": "com.b"}],
            "lease": "com.lease",
        }
        self.assertEqual(found(**fields), [])
        for url in ("wss://[::1]/ws", "rs://127.0.0.1:8081", "rss://example.com:8082"):
            self.assertEqual(found(url=url), [])

    def test_longest_lease_retry(self) -> None:
        """Four seconds are still short enough for a takeover."""
        self.assertEqual(found(lease="com.lease", lease_retry=4), [])

    def test_each(self) -> None:
        """One mistake, one line."""
        for path, fields in [
            ("url", {"url": "http://example.com"}),
            ("url", {"url": "ws:///ws"}),
            ("url", {"url": "ws://example.com:port/"}),
            ("url", {"url": "rs://example.com"}),
            ("url", {"url": "ws://ada:secret@example.com/"}),
            ("realm", {"realm": ""}),
            ("realm", {"realm": "a b"}),
            ("endpoint", {"endpoint": "nowhere"}),
            ("authentication.secret", {"authentication": who(env="NOT_THERE_AT_ALL")}),
            ("authentication.secret", {"authentication": who()}),
            ("tls", {"tls": {"authorities": "/not/there.pem"}}),
            ("ping", {"ping": 0}),
            ("stop_timeout", {"stop_timeout": -1}),
            ("connect_timeout", {"connect_timeout": float("inf")}),
            ("max_message_size", {"max_message_size": 100}),
            ("lease", {"lease": "no uri at all"}),
            ("lease", {"lease": "com.*"}),
            ("lease_retry", {"lease_retry": 5}),
            ("queue_limit", {"queue_limit": 0}),
            ("queue_bytes", {"queue_bytes": 0}),
            ("channels[0].topic", {"channels": [{**NEWS, "topic": "com..news"}]}),
            ("channels[0].topic", {"channels": [{**NEWS, "topic": "wamp.news"}]}),
            ("channels[0].channel", {"channels": [{**NEWS, "channel": ""}]}),
            ("channels[0].channel", {"channels": [{**NEWS, "channel": "___all___"}]}),
            ("channels[0].channel", {"channels": [{**MANY, "channel": "*-*"}]}),
            ("channels[0]", {"channels": [{**MANY, "channel": "a"}]}),
            ("channels[0].topic", {"channels": [{**MANY, "topic": "com.*.a"}]}),
            ("channels[0].topic", {"channels": [{**MANY, "topic": "*"}]}),
            ("channels[0].channels", {"channels": [{**NEWS, "channels": ["news"]}]}),
            ("channels[0].channels[0]", {"channels": [{**MANY, "channels": ["b-1"]}]}),
            ("channels[0].channels[0]", {"channels": [{**MANY, "channels": ["a-1 2"]}]}),
            ("channels[1]", {"channels": [NEWS, NEWS]}),
            ("channels[1]", {"channels": [MANY, {**NEWS, "channel": "a-1", "topic": "com.a.1"}]}),
            ("channels[1].name", {"channels": [NEWS, {**MANY, "name": "channel:news"}]}),
            ("calls[0].rpc", {"calls": [{"procedure": "com.x", "rpc": "_publish"}]}),
            ("calls[0]", {"calls": [{"procedure": "com.x", "rpc": "*"}]}),
            ("calls[0].timeout", {"calls": [{"procedure": "com.x", "rpc": "x", "timeout": 0}]}),
            (
                "calls[0].concurrency",
                {"calls": [{"procedure": "a", "rpc": "x", "concurrency": 0}]},
            ),
            ("calls[1].procedure", {"calls": [{"procedure": "com.x", "rpc": "x"}] * 2}),
            ("actions[0].action", {"actions": [{"action": "a..b", "procedure": "com.b"}]}),
            ("actions[0].procedure", {"actions": [{"action": "a", "procedure": "com.*"}]}),
            ("actions[1].action", {"actions": [action("a"), action("a.b")]}),
        ]:
            lines = found(**fields)
            self.assertEqual(len(lines), 1, (path, lines))
            self.assertTrue(lines[0].startswith(f"wamp.{path}: "), (path, lines))
            self.assertNotIn("ada:secret", lines[0])

    def test_names(self) -> None:
        """A rule is called by its name, or by what it takes."""
        for name in ("", "mine"):
            section = msgspec.convert(
                {
                    **GOOD,
                    "channels": [{**NEWS, "name": name}],
                    "calls": [{"procedure": "com.rpc", "rpc": "f", "name": name}],
                    "actions": [{"action": "a.b", "procedure": "com.b", "name": name}],
                },
                WampConfig,
            )
            rules = [*section.channels, *section.calls, *section.actions]
            made = ["channel:news", "call:com.rpc", "action:a.b"]
            self.assertEqual([rule.rule for rule in rules], [name] * 3 if name else made)

    def test_not_in_conflict(self) -> None:
        """One channel to two topics, and two channels to one topic, are no conflict."""
        for other in [{**NEWS, "topic": "com.other"}, {**NEWS, "channel": "other"}]:
            self.assertEqual(found(channels=[NEWS, other]), [])
        wide = {"channel": "all-*", "topic": "com.*", "direction": "both"}
        self.assertEqual(found(channels=[wide, MANY]), [])

    def test_component(self) -> None:
        """A component's options are checked as well; Crossbar's own key is no mistake."""
        options = component_options({"cbdir": "x", "upstream": {"host": "a"}, "channels": [NEWS]})
        self.assertEqual(options.channels[0].channel, "news")
        for extra in [
            None,
            {"upstream": {"host": "a"}, "x": 1},
            {"upstream": {"host": "ftp://a"}},
        ]:
            self.assertRaises(InvalidOption, component_options, extra)


def who(**secret: str) -> dict[str, Any]:
    return {"method": "ticket", "authid": "a", "secret": secret}


def call(name: str) -> dict[str, Any]:
    return {"procedure": name, "rpc": "x"}


def action(name: str) -> dict[str, str]:
    return {"action": name, "procedure": f"com.{name}"}


class Signatures(SynchronousTestCase):
    """Answers to challenges."""

    def setUp(self) -> None:
        os.environ["A_SECRET"] = "prq7+YkJ1/KlW1X0YczMHw=="
        self.addCleanup(os.environ.pop, "A_SECRET")
        fields = {**GOOD, "authentication": {**who(env="A_SECRET"), "method": "wampcra"}}
        section = msgspec.convert(fields, WampConfig)
        assert section.authentication is not None
        self.who = section.authentication

    def test_as_autobahn(self) -> None:
        """WAMP-CRA, plain and salted, is what Autobahn computes."""
        from autobahn.wamp.auth import compute_wcs, derive_key

        secret = os.environ["A_SECRET"]
        plain = {"challenge": '{"nonce": "é"}'}
        salted = {**plain, "salt": "salt123", "iterations": 100, "keylen": 16}
        self.assertEqual(
            signature(self.who, plain), compute_wcs(secret, plain["challenge"]).decode()
        )
        key = derive_key(secret, "salt123", 100, 16)
        self.assertEqual(
            signature(self.who, salted), compute_wcs(key, plain["challenge"]).decode()
        )

    def test_nonsense(self) -> None:
        """A challenge that makes no sense, or that would take hours."""
        for extra in [
            {},
            {"challenge": 1},
            {"challenge": "x", "salt": "y"},
            {"challenge": "x", "salt": "y", "iterations": 10**9, "keylen": 32},
            {"challenge": "x", "salt": "y", "iterations": 1, "keylen": 1025},
        ]:
            self.assertRaises(InvalidOption, signature, self.who, extra)


class Names(SynchronousTestCase):
    """Arguments."""

    def test_arguments(self) -> None:
        """There and back."""
        for data in [1, [1, 2], {"a": 1}]:
            self.assertEqual(data_of(*arguments_of(data, "spread")), data)
        for data in [None, [], [1], {}, {"args": []}, "x"]:
            self.assertEqual(data_of(*arguments_of(data, "one")), data)
