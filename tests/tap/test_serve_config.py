"""The configuration of the server's command: what is wrong with it, and what comes of it."""

from __future__ import annotations

import io
import math
import os
import sys
import tempfile
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher

from tests.kit.certificates import Authority, self_signed
from tests.kit.examples import examples
from txtokensock import TLSPolicy
from txtokensock.config.document import ConfigError, Document
from txtokensock.server import Limits, TokenSocketServer, demo
from txtokensock.sockjs import SockJSOptions
from txtokensock.tap.serve_config import (
    SECTIONS,
    LimitsConfig,
    RedisConfig,
    ServeConfig,
    ServerConfig,
    SockJSConfig,
    read_config,
)

from .support import MakingTestCase

SERVER = "[server]\n"
TLS = '[server]\nauthentication = "demo"\n[tls]\ncertificate = "a.pem"\n'
REDIS = '[redis]\nurl = "redis://h"\nnamespace = "a"\n'
ADMIN = "[admin]\n"
OWN = '[[server.limits_for]]\nidentity = { role = "bridge" }\n'

BAD: list[tuple[str, str]] = [
    # the file
    ("[server", "is not valid TOML: Expected ']'"),
    ("a = 1\na = 2", "is not valid TOML: Cannot overwrite"),
    ('[server]\nlisten = "tcp:1', "is not valid TOML: "),
    ("[servr]\n", "1: servr: is not a section: is it misspelt?"),
    ("server = 3", "1: server: is not a table: write it as [server]"),
    ("[[limits]]\n", "1: limits: is not a table: write it as [limits]"),
    # [server]
    (SERVER + "listn = 1", "2: server.listn: is not an option: is it listen?"),
    (SERVER + "listen = 8080", "2: server.listen: expected text or array"),
    (SERVER + 'listen = ""', "2: server.listen: '' is not an endpoint"),
    (SERVER + 'listen = "8080"', "2: server.listen: '8080' is not an endpoint"),
    (SERVER + 'listen = "tcp:x"', "2: server.listen: 'tcp:x' is not an endpoint"),
    (SERVER + 'listen = ["unix:a", "bogus:1"]', "2: server.listen[1]: 'bogus:1' is not an end"),
    (SERVER + 'listen = ["unix:a", "unix:a"]', "2: server.listen[1]: 'unix:a' is there twice"),
    (SERVER + 'listen = "systemd:domain=INET:index=0"', "2: server.listen: other machines can"),
    (SERVER + 'listen = "tcp:80"', "2: server.listen: other machines can connect to tcp:80"),
    (SERVER + 'listen = ["unix:a", "tcp:80"]', "2: server.listen: other machines can connect"),
    (SERVER + 'listen = "tcp6:80"', "2: server.listen: other machines can connect to tcp6:80"),
    (SERVER + "authentication = true", "2: server.authentication: expected text, got bool"),
    (SERVER + 'authentication = "x"', "2: server.authentication: 'x' must be like package.mod"),
    (SERVER + 'authentication = "no_such:x"', "2: server.authentication: there is no module"),
    (SERVER + 'authentication = "json:x"', "2: server.authentication: json has no 'x'"),
    (SERVER + 'authentication = "json:__name__"', "2: server.authentication: json:__name__ is"),
    (SERVER + 'actions = "json:__name__"', "2: server.actions: json:__name__ is a str"),
    (SERVER + 'filter = "json:__name__"', "2: server.filter: json:__name__ is a str"),
    (SERVER + 'limits_for = "json:__name__"', "2: server.limits_for: json:__name__ is a str"),
    (SERVER + 'hooks = { publish = "json:x" }', "2: server.hooks.publish: json has no 'x'"),
    (SERVER + 'hooks = { publisch = "json:x" }', "2: server.hooks.publisch: 'publisch' is not on"),
    (SERVER + "hooks = { publish = 1 }", "2: server.hooks.publish: expected text, got whole"),
    (SERVER + 'hooks = "json:dumps"', "2: server.hooks: expected table, got text"),
    (SERVER + 'token_path = "/a b"', "2: server.token_path: is '/a b'"),
    (SERVER + 'socket_prefix = "/?"', "2: server.socket_prefix: is '/?'"),
    (SERVER + 'ping = "no"', "2: server.ping: expected bool, got text"),
    (SERVER + "acks = 1", "2: server.acks: expected bool, got whole number"),
    (SERVER + "jsonp = 0", "2: server.jsonp: expected bool, got whole number"),
    (SERVER + "expose_errors = []", "2: server.expose_errors: expected bool, got array"),
    (SERVER + 'allowed_origins = ["a.example"]', "2: server.allowed_origins: has 'a.example'"),
    (SERVER + 'allowed_origins = "https://a"', "2: server.allowed_origins: is 'https://a'"),
    (SERVER + "allowed_origins = [1]", "2: server.allowed_origins[0]: expected text, got"),
    (SERVER + 'allowed_hosts = ["a:80"]', "2: server.allowed_hosts: has 'a:80'"),
    (SERVER + 'allowed_hosts = "a"', "2: server.allowed_hosts: expected array, got text"),
    (SERVER + 'trusted_proxies = ["10.0.0.0/33"]', "2: server.trusted_proxies: has '10.0.0.0/"),
    (SERVER + "drain = -1", "2: server.drain: is -1: it must be a number of seconds from 0"),
    (SERVER + 'drain = "5s"', "2: server.drain: expected number, got text"),
    (SERVER + "drain_delay = inf", "2: server.drain_delay: is inf: it must be a number of sec"),
    (OWN + "limits = { channels = 0 }", "3: server.limits_for[0].limits.channels: is 0: it mu"),
    (OWN + "limits = { body_rate = 5 }", "3: server.limits_for[0].limits.body_rate: is not a l"),
    (OWN + 'limits = { calls = "x" }', "3: server.limits_for[0].limits.calls: expected whole"),
    (OWN, "1: server.limits_for[0].limits: is missing"),
    # [tls]
    ("[tls]\n", "1: tls.certificate: is missing"),
    ('[tls]\ncertificate = "none"', "1: tls: certificate: none cannot be read: No such file"),
    ('[tls]\ncertificate = "empty"', "1: tls: certificate: the file empty holds no certif"),
    ('[tls]\ncertificate = "broken"', "1: tls: certificate: the file broken holds a broken"),
    ('[tls]\ncertificate = "a.crt"', "1: tls: certificate: a.crt holds no private key in PEM"),
    (TLS + 'key = "b.pem"', "3: tls: the private key in b.pem is not that of the certificate in"),
    (TLS + 'key = "none"', "3: tls: private key: none cannot be read: No such file"),
    (TLS + 'key = { env = "NONE" }', "3: tls: the environment variable NONE is not set"),
    (TLS + 'key = { env = "SECRET" }', "3: tls: private key: the file the environment variable"),
    (TLS + "key = {}", "3: tls: a secret is { env"),
    (TLS + 'listen = "tcp:x"', "5: tls.listen: 'tcp:x' is not an endpoint"),
    ('[tls]\ncertificate = "a.pem"', "1: tls.listen: other machines can connect to tcp:443"),
    (TLS + "certificat = 1", "5: tls.certificat: is not an option: is it certificate?"),
    # [limits]
    ("[limits]\nchanels = 1", "2: limits.chanels: is not an option: is it channels or calls?"),
    ("[limits]\nchannels = 0", "2: limits.channels: is 0: it must be a whole number above 0"),
    ("[limits]\nchannels = 1.5", "2: limits.channels: expected whole number, got number"),
    ('[limits]\nauth_timeout = "5s"', "2: limits.auth_timeout: expected number, got text"),
    ("[limits]\nauth_timeout = nan", "2: limits.auth_timeout: is nan: it must be a number"),
    ("[limits]\nshutdown_timeout = -1", "2: limits.shutdown_timeout: is -1: it must be"),
    # [sockjs]
    ("[sockjs]\nheartbeat = 0", "2: sockjs.heartbeat: is 0: it must be a number of seconds"),
    ("[sockjs]\nwebsocket = 1", "2: sockjs.websocket: expected bool, got whole number"),
    ('[sockjs]\nsockjs_url = ""', "2: sockjs.sockjs_url: is '': it must be a URL"),
    ('[sockjs]\nsockjs_client_file = "none"', "2: sockjs.sockjs_client_file: 'none' cannot be"),
    ("[sockjs]\nmax_sessions = 0", "2: sockjs.max_sessions: is 0: it must be a whole number"),
    ("[sockjs]\nmax_message_size = 5", "2: sockjs.max_message_size: is not an option: is it"),
    # [redis]
    ("[redis]\n", "1: redis.url: is missing"),
    ('[redis]\nurl = "redis://h"', "1: redis: needs a namespace (--namespace), or shared_with"),
    (REDIS + "shared_with_node = true", "4: redis.shared_with_node: excludes a namespace"),
    ('[redis]\nurl = "redis://h"\nnamespace = "a b"', "3: redis.namespace: is 'a b'"),
    ('[redis]\nurl = "http://h"\nnamespace = "a"', "2: redis.url: the Redis URL must begin with"),
    ('[redis]\nurl = "redis://:s3cret@h"\nnamespace = "a"', "2: redis.url: holds a password: "),
    ('[redis]\nurl = "redis://:s3cret@h/x"\nnamespace = "a"', "2: redis.url: the database in"),
    ('[redis]\nurl = { env = "NONE" }\nnamespace = "a"', "2: redis.url: the environment variab"),
    (REDIS + 'password = "s3cret"', "4: redis.password: a secret is { env = "),
    (REDIS + 'password = { file = "none" }', "4: redis.password: the file none cannot be read"),
    (
        REDIS + 'password = { file = "a\\u0000b" }',
        "4: redis.password: the file a\0b cannot be read",
    ),
    (REDIS + 'tls = { authorities = "none" }', "4: redis.tls: authorities: none cannot be read"),
    (REDIS + "tls = {}", "4: redis.tls: is for a Redis URL with rediss://"),
    (
        REDIS + 'sentinel_password = { file = "none" }',
        "4: redis.sentinel_password: the file none cannot be read",
    ),
    ('[redis]\nurl = "redis+sentinel://h"\nnamespace = "a"', "2: redis.url: the Redis URL has no"),
    (REDIS + "timeout = 0", "4: redis.timeout: is 0: it must be a number of seconds"),
    # [log]
    ('[log]\nlevel = "loud"', "2: log.level: 'loud' is not one of critical, debug,"),
    ('[log]\nformat = "xml"', "2: log.format: 'xml' is not one of json, text"),
    ("[log]\nlevle = 1", "2: log.levle: is not an option: is it level?"),
    # [admin]
    (ADMIN, "1: admin.listen: is missing"),
    (ADMIN + 'listen = "tcp:x"', "2: admin.listen: 'tcp:x' is not an endpoint"),
    (ADMIN + 'listen = "tcp:9090"', "2: admin.listen: other machines reach tcp:9090: it needs"),
    (ADMIN + 'listen = "unix:a"\nkey = "s3cret"', "3: admin.key: a secret is { env = "),
    (ADMIN + 'listen = "tcp:1"\nkey = { file = "none" }', "3: admin.key: the file none cannot"),
    (ADMIN + 'listen = "tcp:1"\nkey = { file = "empty" }', "3: admin.key: the secret is empty"),
]
"""What is wrong, and the one line about it, without the file before it."""


class ServeConfigTestCase(MakingTestCase):
    """In a directory with a few files, and a few variables."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-serve-")
        self.addCleanup(directory.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory.name)
        Path("empty").write_text("")
        begin, end = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
        Path("broken").write_text(f"{begin}AAAA\n{end}")
        for name in "ab":
            certificate, key = self_signed(f"{name}.test").write(Path(), name)
            certificate.rename(f"{name}.crt")
            Path(f"{name}.pem").write_bytes(Path(f"{name}.crt").read_bytes() + key.read_bytes())
        patched = mock.patch.dict(os.environ, {"SECRET": "value-of-secret"})
        patched.start()
        self.addCleanup(patched.stop)


class BadConfigTests(ServeConfigTestCase):
    """Each mistake."""

    def test_one_line_each(self) -> None:
        """File, line and path begin it; the exit status is 2, and nothing was started."""
        self.assertGreaterEqual(len(BAD), 60)
        for text, line in BAD:
            Path("serve.toml").write_text(text)
            for more in ((), ("--check",)):
                reactor = MemoryReactorClock()
                status, said = self.exit_of("serve", "-c", "serve.toml", *more, reactor=reactor)
                self.assertEqual((status, said.count("\n")), (2, 1), (text, said))
                where = "serve.toml:" if line[0].isdigit() else "serve.toml: "
                self.assertTrue(said.startswith(f"twistd tokensock: {where}{line}"), (text, said))
                self.assertEqual((reactor.tcpServers, reactor.getDelayedCalls()), ([], []))
                for secret in ("value-of", "s3cret"):
                    self.assertNotIn(secret, said)

    def test_all_at_once(self) -> None:
        """Several mistakes are several lines, in one go, also those of types."""
        Path("serve.toml").write_text(
            "[server]\nping = 1\nacks = 2\n[limits]\ncalls = 0\nchannels = 0\n[sockjs]\n"
            'heartbeat = "x"\n[more]\n'
        )
        _, said = self.exit_of("serve", "--config", "serve.toml")
        self.assertEqual(
            sorted(int(line.split(":")[2]) for line in said.splitlines()), [2, 3, 5, 6, 8, 9]
        )

    def test_choices(self) -> None:
        """Each value, and each key, that is not one of a few is answered with those few."""
        hooks = '{ pubish = "json:x", "a[0].b" = "json:x", subscibe = "json:x" }'
        Path("serve.toml").write_text(f'[server]\nhooks = {hooks}\n[log]\nlevel = "a\\nb"\n')
        _, said = self.exit_of("serve", "--config", "serve.toml")
        events = "authentication, broadcast, join, leave, publish, subscribe, unsubscribe"
        levels = "critical, debug, error, info, warn"
        begin = "twistd tokensock: serve.toml:"
        for line in (
            f"{begin}2: server.hooks.pubish: 'pubish' is not one of {events}\n",
            f"{begin}2: server.hooks.a[0].b: 'a[0].b' is not one of {events}\n",
            f"{begin}4: log.level: 'a\\nb' is not one of {levels}\n",
        ):
            self.assertIn(line, said)
        self.assertEqual(said.count("\n"), 3)

    def test_all_of_the_code(self) -> None:
        """So are several mistakes in what names the application's code."""
        Path("serve.toml").write_text('[server]\nactions = "no:x"\nfilter = "no:y"\n')
        _, said = self.exit_of("serve", "--config", "serve.toml")
        self.assertEqual(said.count("there is no module 'no'"), 2)

    def test_functions_that_cannot_be_called(self) -> None:
        """A function of the wrong arity is said where it is named."""
        Path("arity.py").write_text("def none(): pass\n")
        self.addCleanup(sys.modules.pop, "arity", None)
        self.addCleanup(setattr, sys, "path", list(sys.path))
        for option in ("authentication", "limits_for", "filter"):
            Path("serve.toml").write_text(f'[server]\nping = true\n{option} = "arity:none"\n')
            _, said = self.exit_of("serve", "-c", "serve.toml")
            self.assertIn(f"serve.toml:3: server.{option}: is <function none", said)
        said = self.exit_of("serve", "-l", "unix:a", "--authentication", "arity:none")[1]
        self.assertIn("tokensock: --authentication: is <function none", said)
        hooks = '{ publish = "arity:none", subscribe = "arity:none" }'
        Path("serve.toml").write_text(f"[server]\n\nhooks = {hooks}\n")
        _, said = self.exit_of("serve", "-c", "serve.toml")
        self.assertEqual(said.count("serve.toml:3: server.hooks."), 2)

    def test_files(self) -> None:
        """A file that cannot be read is one line too."""
        Path("latin").write_bytes(b'[server]\nactions = "\xe9"')
        Path("directory").mkdir()
        for path, problem in (
            ("none.toml", "No such file or directory"),
            ("directory", "Is a directory"),
            ("latin", "is not UTF-8"),
        ):
            self.assertEqual(
                self.exit_of("serve", "--config", path),
                (2, f"twistd tokensock: {path}: {problem}\n"),
            )


_SCALARS = (
    st.integers(-1, 5)
    | st.booleans()
    | st.sampled_from([0.5, math.nan, math.inf, "", "a", "a\0b", "*", "unix:a", "tcp:1", "a:b"])
    | st.sampled_from(["redis://h", "redis://[", "a.pem", "10.0.0.1", "https://a.test", "/a"])
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["env", "file", "identity", "limits", "channels", "publish"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)


class AnyConfigTests(ServeConfigTestCase):
    """Whatever a file holds."""

    @examples(300)
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.dictionaries(st.sampled_from(kind.__struct_fields__), _VALUES, max_size=3)
                for name, (kind, _) in SECTIONS.items()
            },
        )
    )
    def test_anything(self, content: dict[str, Any]) -> None:
        """It is a configuration, or an error of lines."""
        document = Document("", "serve.toml")
        document.content = content
        try:
            config = read_config(document)
        except ConfigError as error:
            for problem in error.problems:
                self.assertNotIn("\n", str(problem))
        else:
            TokenSocketServer(demo.authenticate, reactor=Clock(), **config.options())


class GoodConfigTests(ServeConfigTestCase):
    """What can be said, and what comes of it."""

    def read(self, text: str) -> ServeConfig:
        """The configuration."""
        return read_config(Document(text, "serve.toml"))

    def test_check(self) -> None:
        """``--check`` only says that it is good."""
        Path("serve.toml").write_text("[limits]\nchannels = 5\n")
        with mock.patch.object(sys, "__stdout__", io.StringIO()) as said:
            self.assertEqual(self.exit_of("serve", "-c", "serve.toml", "--check"), (0, ""))
        self.assertEqual(said.getvalue(), "serve.toml: good\n")

    def test_example(self) -> None:
        """The example is good as it is."""
        example = Path(__file__).parents[2] / "examples" / "serve.toml"
        with mock.patch.object(sys, "__stdout__", io.StringIO()):
            self.assertEqual(self.exit_of("serve", "-c", str(example), "--check"), (0, ""))

    def test_code(self) -> None:
        """Hooks, a filter and limits by identity are the application's functions."""
        Path("own.py").write_text(
            "from txtokensock.server import Limits\n"
            "def may(peer, channel): return channel != 'no'\n"
            "def sift(peer, channel, message): return message\n"
            "def limits(identity): return Limits(channels=7)\n"
        )
        self.addCleanup(sys.modules.pop, "own", None)
        self.addCleanup(setattr, sys, "path", list(sys.path))
        Path("serve.toml").write_text(
            '[server]\nhooks = { subscribe = "own:may" }\nfilter = "own:sift"\n'
            'limits_for = "own:limits"\nauthentication = "demo"\n'
        )
        service = self.made("serve", "-c", "serve.toml")
        (server,) = (each for each in service if isinstance(each, TokenSocketServer))
        self.assertEqual(server._context.limits_of({}).channels, 7)
        (hook,) = server._context.hooks._hooks["subscribe"]
        self.assertEqual((hook.__name__, server._hub._filter.__name__), ("may", "sift"))

    def test_nothing(self) -> None:
        """Without options all is as it is without a file."""
        config = self.read("")
        self.assertEqual(config, ServeConfig())
        self.assertEqual(config.listen(), ("tcp:8080:interface=127.0.0.1",))
        self.assertEqual(config.options()["limits"], Limits())

    def test_all_of_the_server(self) -> None:
        """Every option of the server has its place, and so has each limit and SockJS's own."""
        reached = {*ServerConfig.__struct_fields__, *ServeConfig.__struct_fields__}
        options = set(signature(TokenSocketServer).parameters) - {"reactor"}
        self.assertEqual(options - reached, {"store", "observer"})  # [redis], [admin]
        self.assertEqual(
            set(LimitsConfig.__struct_fields__), {field.name for field in fields(Limits)}
        )
        derived = {"allowed_origins", "allowed_hosts", "trusted_proxies", "max_message_size"}
        derived |= {"max_array_length", "max_buffered", "max_buffered_total"}
        self.assertEqual(
            {field.name for field in fields(SockJSOptions)} - set(SockJSConfig.__struct_fields__),
            derived | {"max_sessions_per_address"},
        )

    def test_command_line_goes_first(self) -> None:
        """An option that is given stands in the place of the file's."""
        Path("serve.toml").write_text(
            '[server]\nlisten = "tcp:1:interface=127.0.0.1"\nping = false\n[limits]\ncalls = 7\n'
        )
        reactor = MemoryReactorClock()
        arguments = (
            "-c",
            "serve.toml",
            "-l",
            "tcp:2:interface=127.0.0.1",
            "--limit",
            "channels=3",
        )
        service = self.made("serve", *arguments, reactor=reactor)
        service.privilegedStartService()
        [(port, _, _, _)] = reactor.tcpServers
        self.assertEqual(port, 2)
        (server,) = (each for each in service if isinstance(each, TokenSocketServer))
        limits = server._context.limits
        self.assertEqual((limits.calls, limits.channels), (7, 3))

    def test_tls(self) -> None:
        """With ``[tls]`` alone there is no other port; several addresses are several ports."""
        Path("serve.toml").write_text(
            TLS + 'listen = ["tcp:1", "tcp:2:interface=127.0.0.1"]\nkey = { file = "a.pem" }\n'
        )
        reactor = MemoryReactorClock()
        self.made("serve", "-c", "serve.toml", reactor=reactor).privilegedStartService()
        self.assertEqual([port for port, *_ in reactor.tcpServers], [1, 2])
        # One site, whose limits count for both.
        self.assertEqual(len({id(each.wrappedFactory) for _, each, *_ in reactor.tcpServers}), 1)

    def test_key_in_the_environment(self) -> None:
        """A private key need be in no file."""
        with mock.patch.dict(os.environ, {"KEY": Path("a.pem").read_text()}):
            config = self.read(TLS + 'key = { env = "KEY" }\n')
            assert config.tls is not None
            config.tls.read()

    def test_sockets_of_systemd(self) -> None:
        """A check before the service has none; the service says that it was passed none."""
        Path("serve.toml").write_text(
            '[server]\nlisten = "systemd:domain=INET:index=0"\nauthentication = "demo"\n'
        )
        with mock.patch.object(sys, "__stdout__", io.StringIO()):
            self.assertEqual(self.exit_of("serve", "-c", "serve.toml", "--check"), (0, ""))
        status, said = self.exit_of("serve", "-c", "serve.toml")
        self.assertEqual((status, said.count("\n")), (1, 1))
        self.assertIn("index=0: systemd has passed no such socket", said)

    def test_redis(self) -> None:
        """The password is beside the URL, and in nothing that is shown."""
        Path("password").write_text("s3cret\n")
        config = self.read(REDIS + 'username = "me"\npassword = { file = "password" }\n')
        assert isinstance(config.redis, RedisConfig)
        store = config.redis.store()
        self.assertEqual((store._target.username, store._target.password), ("me", "s3cret"))
        self.assertNotIn("s3cret", f"{config} {store}")
        with mock.patch.dict(os.environ, {"URL": "redis://:s3cret@h/3"}):
            config = self.read('[redis]\nurl = { env = "URL" }\nshared_with_node = true\n')
            assert config.redis is not None
            self.assertEqual(config.redis.store()._target.password, "s3cret")
        self.assertNotIn("s3cret", str(config))

    def test_sentinels(self) -> None:
        """Sentinels with a password, and TLS with an authority of one's own."""
        Path("password").write_text("s3cret\n")
        Authority().issued.write(Path(), "ca")
        config = self.read(
            '[redis]\nurl = "rediss+sentinel://h,i:1/m"\nnamespace = "a"\n'
            'sentinel_password = { file = "password" }\ntls = { authorities = "ca.pem" }\n'
        )
        assert config.redis is not None
        store = config.redis.store()
        self.assertEqual(store._target.addresses, (("h", 26379), ("i", 1)))
        self.assertEqual(store._sentinel_password, "s3cret")
        self.assertIsInstance(store._tls, TLSPolicy)
        self.assertNotIn("s3cret", f"{config} {store}")

    def test_redis_option(self) -> None:
        """A password on the command line is a warning that says how not to have it there."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.made("serve", "--redis", "redis://:s3cret@h", "--namespace", "a")
        (event,) = (each for each in logged if each.get("event") == "serve.password_shown")
        self.assertTrue(formatEvent(event).endswith("{ env = ... }, of serve --config"))
        self.assertNotIn("s3cret", str(event))

    def test_limits_for(self) -> None:
        """The first table that fits an identity decides; what it leaves out is that of all."""
        find = self.read(
            "[limits]\ncalls = 9\n"
            '[[server.limits_for]]\nidentity = { role = "a", x = { y = 1 } }\n'
            "limits = { channels = 1 }\n"
            "[[server.limits_for]]\nidentity = { role = 'a' }\nlimits = { channels = 2 }\n"
        ).limits_for()
        assert find is not None
        for identity, channels in (
            ({"role": "a", "x": {"y": 1, "z": 2}, "more": 3}, 1),
            ({"role": "a", "x": {"y": True}}, 2),
            ({"role": "a", "x": 5}, 2),
            ({"role": "a"}, 2),
            ({"role": "b"}, None),
            ({}, None),
        ):
            found = find(identity)
            self.assertEqual(None if found is None else found.channels, channels, identity)
            self.assertIn(None if found is None else found.calls, (None, 9))
