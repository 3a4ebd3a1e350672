"""The configuration: what is wrong with it is one clear line each, with the path."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import fields
from inspect import signature
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.kit.certificates import self_signed
from txtokensock import Backoff, Timeouts, TokenSocket
from txtokensock.bridge.config.file import Config, ConfigError, check, load
from txtokensock.config.document import Document
from txtokensock.config.listen import Listen

UPSTREAM = '[upstream]\nhost = "127.0.0.1:8080"\n'
HTTP = UPSTREAM + "[http]\n"
OPEN = HTTP + 'authentication = "none"\n'
KEY = HTTP + '[[http.keys]]\nname = "a"\nsecret = { env = "A" }\n'
WEBHOOKS = UPSTREAM + '[webhooks]\nspool = "spool.sqlite"\n'

BAD: list[tuple[str, str]] = [
    # the file
    ("[upstream", "bridge.toml: is not valid TOML: "),
    ('a = 1\na = 2\n[upstream]\nhost = "h"', "bridge.toml: is not valid TOML: "),
    ("", "upstream: is missing"),
    (UPSTREAM + "[upsteam]\n", "upsteam: is not a section: is it misspelt?"),
    ("upstream = 3", "upstream: is not a table: write it as [upstream]"),
    ("[[upstream]]\n", "upstream: is not a table: write it as [upstream]"),
    # [upstream]
    ("[upstream]\n", "upstream.host: is missing"),
    ("[upstream]\nhost = []", "upstream.host: host is empty"),
    ('[upstream]\nhost = ["a", "ftp://b"]', "upstream.host: host has the scheme 'ftp'"),
    ('[upstream]\nhost = ["a", 3]', "upstream.host[1]: expected text, got whole number"),
    ("[upstream]\nhost = 3", "upstream.host: expected text or array, got whole number"),
    ('[upstream]\nhost = ""', "upstream.host: host '' does not name a host"),
    ('[upstream]\nhost = "ftp://h"', "upstream.host: host has the scheme 'ftp'"),
    ('[upstream]\nhost = "http://u:s3cret@h"', "upstream.host: host cannot hold a user name"),
    ('[upstream]\nhost = "h:1"\nport = 2', "upstream.host: host 'h:1' names a port and port=2"),
    (UPSTREAM + "hots = 1", "upstream.hots: is not an option: is it host?"),
    (UPSTREAM + 'call_timeout = "60"', "upstream.call_timeout: expected number, got text"),
    (UPSTREAM + "call_timeout = true", "upstream.call_timeout: expected number, got bool"),
    (UPSTREAM + "call_timeout = 0", "upstream.call_timeout: is 0: it must be a number of seconds"),
    (UPSTREAM + "ping = nan", "upstream.ping: is nan: it must be a number of seconds"),
    (UPSTREAM + "silence_timeout = -1.5", "upstream.silence_timeout: is -1.5: "),
    (UPSTREAM + "queue_limit = 0", "upstream.queue_limit: is 0: it must be a whole number"),
    (UPSTREAM + "queue_limit = 1.5", "upstream.queue_limit: expected whole number, got number"),
    (UPSTREAM + 'token_path = "/a b"', "upstream.token_path: token_path is '/a b'"),
    (UPSTREAM + "[upstream.timeouts]\nauth = 0", "upstream.timeouts.auth: is 0: "),
    (UPSTREAM + "[upstream.backoff]\nfactor = 0.5", "upstream.backoff.factor: is 0.5: "),
    (UPSTREAM + "[upstream.backoff]\nrefused = 0", "upstream.backoff.refused: is 0: "),
    (UPSTREAM + "[upstream.backoff]\nmax = 5", "upstream.backoff.max: is not an option"),
    (UPSTREAM + 'transports = "websocket"', "upstream.transports: expected array, got text"),
    (UPSTREAM + 'transports = ["pigeon"]', "upstream.transports: transports is ['pigeon']: it"),
    (UPSTREAM + "transports = []", "upstream.transports: transports is []: it must hold"),
    (UPSTREAM + 'proxy = "ftp://a:s3cret@b"', "upstream.proxy: proxy is not the URL of a proxy"),
    (UPSTREAM + 'proxy = { env = "NONE" }', "upstream.proxy: the environment variable NONE is"),
    (UPSTREAM + "proxy = 1", "upstream.proxy: expected bool or text or table, got"),
    (
        UPSTREAM + 'proxy = "http://a"\nendpoint = "unix:/a"',
        "upstream.proxy: endpoint and proxy exclude each other",
    ),
    (UPSTREAM + "[upstream.headers]\nA = 1", "upstream.headers.A: expected text or table, got"),
    (UPSTREAM + '[upstream.headers]\nB = "b"\n"a b" = "c"', "upstream.headers.a b: headers has"),
    (
        UPSTREAM + '[upstream.headers]\nA = { env = "NONE" }',
        "upstream.headers.A: the environment variable NONE is not set",
    ),
    (
        UPSTREAM + '[upstream.authentication]\nuser = "u"\npassword = { file = "none" }',
        "upstream.authentication.password: the file none cannot be read: No such file",
    ),
    (
        UPSTREAM + "[upstream.authentication]\nuser = []",
        "upstream.authentication.user: authentication['user'] is an empty list",
    ),
    (UPSTREAM + '[upstream.tls]\nkey = "k"', "upstream.tls: a private key cannot be used without"),
    (UPSTREAM + '[upstream.tls]\nauthorities = "none"', "upstream.tls: authorities: none cannot"),
    (
        UPSTREAM + '[upstream.tls]\nauthorities = "empty"',
        "upstream.tls: authorities: the file empty holds no certificate",
    ),
    # [http]
    (OPEN + "listen = 8090", "http.listen: expected text, got whole number"),
    (OPEN + 'listen = "8090"', "http.listen: '8090' is not an endpoint: "),
    (OPEN + 'listen = "tcp:x"', "http.listen: 'tcp:x' is not an endpoint: "),
    (HTTP, "http.keys: are missing; on a loopback address, authentication = "),
    (
        KEY.replace("[http]", '[http]\nauthentication = "none"'),
        'http.authentication: is "none", but there are [[http.keys]]',
    ),
    (HTTP + 'authentication = "basic"', "http.authentication: 'basic' is not one of keys, none"),
    (OPEN + 'certificate = "none"', "http.certificate: "),
    (OPEN + 'certificate = "empty"', "http.certificate: "),
    (OPEN + 'certificate_key = "empty"', "http.certificate_key: needs a certificate"),
    (
        OPEN + 'certificate = "a.pem"\nlisten = "ssl:1:a.pem:a.pem:interface=127.0.0.1"',
        "http.listen: names a certificate, and so does certificate: write tcp:",
    ),
    (OPEN + 'listen = "tcp:8090"', "http.listen: 'tcp:8090' is not a loopback address: it needs"),
    (OPEN + 'listen = "tcp:8090:interface=10.0.0.1"', "http.listen: 'tcp:8090:interface=10"),
    (OPEN + 'listen = "tcp6:8090"', "http.listen: 'tcp6:8090' is not a loopback address"),
    (OPEN + 'listen = "systemd:domain=INET:index=0"', "http.listen: "),
    (
        OPEN + 'trusted_proxies = ["10.0.0.0/33"]',
        "http.trusted_proxies: has '10.0.0.0/33': a network is like",
    ),
    (OPEN + "body_rate = 0", "http.body_rate: is 0: it must be a whole number above 0"),
    (OPEN + "body_limit = -1", "http.body_limit: is -1: it must be a whole number above 0"),
    (OPEN + "heartbeat = 0.0", "http.heartbeat: is 0: it must be a number of seconds"),
    (HTTP + "keys = {}", "http.keys: expected array, got table"),
    (HTTP + "[[http.keys]]\n", "http.keys[0].name: is missing"),
    (
        HTTP + '[[http.keys]]\nname = "a"\nsecret = "s3cret"',
        "http.keys[0].secret: a secret is { env",
    ),
    (HTTP + '[[http.keys]]\nname = ""\nsecret = { env = "A" }', "http.keys[0].name: must be"),
    (KEY + 'scheme = "basic"', "http.keys[0].scheme: 'basic' is not one of bearer, signed"),
    (KEY + 'channels = "a"', "http.keys[0].channels: expected array, got text"),
    (KEY + "channels = [5]", "http.keys[0].channels[0]: expected text, got whole number"),
    (KEY + 'channels = ["a", "*.b*"]', "http.keys[0].channels[1]: is '*.b*': it may have only"),
    (KEY + 'procedures = [""]', "http.keys[0].procedures[0]: is empty"),
    (KEY + "concurrency = 0", "http.keys[0].concurrency: is 0: "),
    (
        KEY + '[[http.keys]]\nname = "a"\nsecret = { env = "B" }',
        "http.keys[1].name: is 'a', which",
    ),
    (
        KEY + '[[http.keys]]\nname = "b"\nsecret = { file = "secret-a" }',
        "http.keys[1].secret: is the same as http.keys[0].secret",
    ),
    (KEY + "previous_secret = {}", "http.keys[0].previous_secret: a secret is { env"),
    (KEY + 'previous_secret = { env = "SPACE" }', "http.keys[0].previous_secret: the secret hol"),
    (KEY + 'previous_secret = { file = "empty" }', "http.keys[0].previous_secret: the secret is"),
    # [operation]
    (UPSTREAM + "[operation]\nstop_timeout = 0", "operation.stop_timeout: is 0: "),
    (UPSTREAM + "[operation]\nstop = 1", "operation.stop: is not an option: is it misspelt?"),
    # [log]
    (UPSTREAM + '[log]\nlevel = "loud"', "log.level: 'loud' is not one of critical, debug"),
    (UPSTREAM + '[log]\nformat = "xml"', "log.format: 'xml' is not one of json, text"),
    # what is good alone, and not together
    (OPEN + 'listen = "tcp:8080:interface=127.0.0.1"', "http.listen: is port 8080, where"),
    (
        OPEN.replace('"127.0.0.1:8080"', '["a", "localhost:8090"]'),
        "http.listen: is port 8090, where upstream.host",
    ),
    (
        WEBHOOKS + '[[webhooks.calls]]\naction = "a.b"\nurl = "http://h"\n'
        '[wamp]\nurl = "ws://h"\nrealm = "r"\n'
        '[[wamp.actions]]\naction = "a"\nprocedure = "p.a"\n',
        "webhooks.calls[0].action: 'a.b' is in conflict with 'a', of wamp.actions[0].action",
    ),
    (
        OPEN + '[wamp]\nurl = "ws://127.0.0.1:8090/ws"\nrealm = "r"\n',
        "http.listen: is port 8090, where wamp.url leads to",
    ),
    (
        OPEN + WEBHOOKS.removeprefix(UPSTREAM) + '[[webhooks.calls]]\naction = "a"\n'
        'url = "http://localhost:8090/call"',
        "http.listen: is port 8090, where webhooks.calls[0].url leads to",
    ),
]
"""What is wrong, and the one line about it."""


class ConfigTestCase(SynchronousTestCase):
    """In a directory with a few files, and a few variables."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-config-")
        self.addCleanup(directory.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory.name)
        Path("empty").write_text("")
        certificate, key = self_signed("a.test").write(Path(), "a")
        certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
        Path("secret-a").write_text("value-of-a\n")
        environment = {"A": "value-of-a", "B": "value-of-b", "SPACE": "a b"}
        patched = mock.patch.dict(os.environ, environment)
        patched.start()
        self.addCleanup(patched.stop)

    def problems(self, text: str) -> list[str]:
        """What is said about a text, each behind its place: without that where it is a line's."""
        error = self.assertRaises(ConfigError, lambda: check(Document(text, "bridge.toml")))
        said = [str(problem) for problem in error.problems]
        return [re.sub(r"^bridge\.toml:(\d+:)? (?!is not)", "", line) for line in said]


class BadConfigTests(ConfigTestCase):
    """Each mistake."""

    def test_one_line_each(self) -> None:
        """It begins with the path of the value, is one line, and shows no secret."""
        for text, line in BAD:
            said = self.problems(text)
            self.assertEqual(len(said), 1, (text, said))
            self.assertTrue(said[0].startswith(line), (text, said[0]))
            self.assertNotIn("\n", said[0])
            self.assertLess(len(said[0]), 300)
            for secret in ("value-of", "s3cret"):
                self.assertNotIn(secret, said[0])

    def test_every_section(self) -> None:
        """No section is left out, save for [wamp], which has a module of its own."""
        sections = {line.partition(":")[0].partition(".")[0] for _, line in BAD}
        self.assertLessEqual(set(Config.__struct_fields__) - {"wamp"}, sections)

    def test_all_at_once(self) -> None:
        """Several mistakes are several lines."""
        text = KEY + "streams = 0\n[operation]\nstop_timeout = 'x'\n[more]\n"
        self.assertEqual(
            [line.split(":")[0] for line in self.problems(text)],
            ["more", "http.keys[0].streams", "operation.stop_timeout"],
        )

    def test_files(self) -> None:
        """A file that cannot be read is one line too."""
        Path("latin").write_bytes(b'[upstream]\nhost = "\xe9"')
        Path("directory").mkdir()
        for path, line in (
            ("none.toml", "none.toml: No such file or directory"),
            ("directory", "directory: Is a directory"),
            ("latin", "latin: is not UTF-8"),
        ):
            error = self.assertRaises(ConfigError, load, path)
            self.assertEqual([str(problem) for problem in error.problems], [line])
            self.assertEqual(str(error), line)

    def test_deep(self) -> None:
        """Nesting without end is not valid TOML."""
        text = "[upstream]\nhost = " + "[" * 100_000
        self.assertTrue(self.problems(text)[0].startswith("bridge.toml: is not valid TOML: "))


class GoodConfigTests(ConfigTestCase):
    """What is taken."""

    def good(self, text: str) -> Config:
        """The configuration of a text."""
        return check(Document(text, "bridge.toml"))

    def test_least(self) -> None:
        """An upstream is enough; a side without a section is not there."""
        config = self.good(UPSTREAM)
        self.assertEqual(config.upstream.host, "127.0.0.1:8080")
        self.assertIsNone(config.http)
        self.assertEqual(config.operation.stop_timeout, 10.0)

    def test_every_option(self) -> None:
        """Each option of the socket has a place."""
        config = self.good(
            '[upstream]\nhost = "https://example.com/prefix"\nport = 8443\ntoken_path = "/t"\n'
            'socket_prefix = "/s"\nping = 5\nping_timeout = 1\nsilence_timeout = 30\n'
            "call_timeout = 1.5\nqueue_limit = 1\nbuffer_limit = 1\nmax_message_size = 1000\n"
            '[upstream.authentication]\nuser = "u"\npassword = { env = "A" }\n'
            'nested = { list = [1, { file = "secret-a" }], env = "x", more = 1 }\n'
            '[upstream.headers]\nCookie = { file = "secret-a" }\nX-Plain = "p"\n'
            "[upstream.timeouts]\nauth = 1\n[upstream.backoff]\ncap = 5\n[upstream.tls]\n"
        )
        self.assertEqual(
            config.upstream.credentials(),
            {
                "user": "u",
                "password": "value-of-a",
                "nested": {"list": [1, "value-of-a"], "env": "x", "more": 1},
            },
        )
        headers = {"Cookie": "value-of-a", "X-Plain": "p"}
        self.assertEqual(config.upstream.revealed_headers(), headers)
        self.assertEqual(config.upstream.timeouts.build().auth, 1.0)
        self.assertIsNotNone(config.upstream.policy())

    def test_one_section(self) -> None:
        """Rules of one section are its own business; another may have other actions."""
        rules = "".join(f'[[webhooks.calls]]\naction = "{a}"\nurl = "http://h"\n' for a in "ab")
        router = '[wamp]\nurl = "ws://h"\nrealm = "r"\n'
        action = '[[wamp.actions]]\naction = "c"\nprocedure = "p.c"\n'
        config = self.good(WEBHOOKS + rules + router + action)
        self.assertEqual([rule.action for rule in config.webhooks.calls], ["a", "b"])

    def test_table_of_one(self) -> None:
        """A table of one key that is neither ``env`` nor ``file`` is no secret."""
        config = self.good(UPSTREAM + "[upstream.authentication]\nuser = { id = 1 }\n")
        self.assertEqual(config.upstream.credentials(), {"user": {"id": 1}})

    def test_defaults(self) -> None:
        """What a file does not say is what the socket has where it is not told otherwise."""
        upstream = self.good(UPSTREAM).upstream
        options = signature(TokenSocket).parameters
        for name in set(options) & set(upstream.__struct_fields__):
            if isinstance(options[name].default, int | float | str):
                self.assertEqual(getattr(upstream, name), options[name].default, name)
        self.assertEqual(upstream.timeouts.build(), Timeouts())
        lasting = {field.name for field in fields(Backoff)} - {"max_attempts", "jitter"}
        self.assertEqual(set(upstream.backoff.__struct_fields__), lasting)
        for name in lasting:
            self.assertEqual(getattr(upstream.backoff, name), getattr(Backoff(), name), name)

    def test_hosts(self) -> None:
        """Several servers, in their order or in one of chance."""
        section = self.good(
            '[upstream]\nhost = ["a", "b:81"]\nport = 82\nshuffle = true\n'
        ).upstream
        self.assertEqual([str(one) for one in section.addresses()], ["http://a:82", "http://b:81"])
        self.assertTrue(section.shuffle)

    def test_secrets_are_read_again(self) -> None:
        """A secret that changes is the new one at the next attempt to connect."""
        text = UPSTREAM + '[upstream.authentication]\npassword = { file = "secret-a" }'
        config = self.good(text)
        Path("secret-a").write_text("changed")
        self.assertEqual(config.upstream.credentials(), {"password": "changed"})
        self.assertNotIn("value-of", repr(config))

    def test_addresses(self) -> None:
        """Loopback can do without keys, others cannot."""
        for listen in (
            *("tcp:1:interface=127.0.0.1", "tcp:1:interface=127.0.0.9", "tcp:1:127.0.0.1"),
            *("tcp:port=1:interface=localhost", "tcp6:1:interface=\\\\:\\\\:1"),
            *("unix:/run/bridge.sock", "tcp:interface=127.0.0.1:port=1"),
        ):
            self.assertIsNotNone(self.good(OPEN + f'listen = "{listen}"').http, listen)
        section = self.good(
            HTTP + 'listen = "tcp:8090"\n' + KEY.removeprefix(HTTP) + 'channels = ["a.*"]'
        ).http
        assert section is not None
        self.assertEqual(section.keys[0].secrets(), ["value-of-a"])

    def test_sockets_of_others(self) -> None:
        """Where only the parent process or a proxy knows who connects, it may be anybody."""
        self.assertFalse(Listen("systemd", "", 0).loopback)
        self.assertFalse(Listen.parse("haproxy:tcp:80:interface=127.0.0.1").loopback)

    def test_where_it_listens(self) -> None:
        """Whether a host and port are ours."""
        for description, host, port, expected in (
            ("tcp:80", "localhost", 80, True),
            ("tcp:80", "10.0.0.1", 80, False),
            ("tcp:80:interface=10.0.0.1", "10.0.0.1", 80, True),
            ("tcp:80:interface=10.0.0.1", "127.0.0.1", 80, False),
            ("tcp:80:interface=127.0.0.1", "127.0.0.1", 81, False),
            ("tcp:0", "127.0.0.1", 0, False),
            ("unix:/x", "127.0.0.1", 80, False),
        ):
            found = Listen.parse(description).is_at(host, port)
            self.assertEqual(found, expected, (description, host, port))
