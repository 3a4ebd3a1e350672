"""twistd's options become services, or one line that says what is wrong."""

from __future__ import annotations

import io
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from zope.interface.verify import verifyObject

from tests.kit.certificates import self_signed
from txtokensock.server import Limits, TokenSocketServer
from txtokensock.tap import Options, makeService, serve
from txtokensock.tap.twistd_options import ServeOptions
from txtokensock.web.server.site import BoundedSite

from .support import BusyReactor, MakingTestCase, PortsReactor


class OptionsTests(MakingTestCase):
    """Parsing."""

    def test_default(self) -> None:
        """Without a command there is a service, and nothing listens before it starts."""
        reactor = MemoryReactorClock()
        service = self.made(reactor=reactor)
        verifyObject(IService, service)
        self.assertEqual(reactor.tcpServers, [])

    def test_default_listens_on_loopback_alone(self) -> None:
        """The embedded server is for this machine only, on the announced port."""
        reactor = MemoryReactorClock()
        service = self.made(reactor=reactor)
        with mock.patch.object(sys, "__stdout__", io.StringIO()) as said:
            service.privilegedStartService()
            service.startService()
        [(port, _, _, interface)] = reactor.tcpServers
        self.assertEqual((port, interface), (8080, "127.0.0.1"))
        for command in (
            """tokensock rpc echo '{"foo":"bar"}'""",
            "tokensock listen channel1",
            """tokensock publish channel1 '{"foo":"bar"}'""",
        ):
            self.assertIn(command + "\n", said.getvalue())
        self.successResultOf(service.stopService())
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_serve_listens_where_told(self) -> None:
        """``serve --listen`` takes any endpoint string."""
        reactor = MemoryReactorClock()
        service = self.made("serve", "--listen", "tcp:9999:interface=127.0.0.2", reactor=reactor)
        service.privilegedStartService()
        [(port, _, _, interface)] = reactor.tcpServers
        self.assertEqual((port, interface), (9999, "127.0.0.2"))

    def test_bad_options(self) -> None:
        """A mistake is one line, and exit status 2."""
        for arguments in (
            ("--bogus",),
            ("serve", "--bogus"),
            ("bogus",),
            ("serve", "--listen", "bogus:1"),
            ("serve", "--listen", "tcp:bogus"),
            ("serve", "--listen", ""),
            ("serve", "--listen"),
            ("serve", "extra"),
        ):
            status, said = self.exit_of(*arguments)
            self.assertEqual(status, 2, arguments)
            self.assertTrue(said.startswith("twistd tokensock: "), said)
            self.assertEqual(said.count("\n"), 1, said)

    def test_serve_options(self) -> None:
        """A mistake in what to serve is one line that names the option, and nothing listens."""
        for arguments, said in (
            (("--namespace", "app"), "--namespace needs --redis"),
            (("--shared-with-node",), "--shared-with-node needs --redis"),
            (("--redis", "redis://x"), "--redis: needs a namespace (--namespace), or shared_with"),
            (
                ("--redis", "http://x", "--namespace", "a"),
                "--redis: the Redis URL must begin",
            ),
            (("--redis", "redis://x", "--namespace", "a b"), "--namespace: is 'a b'"),
            (
                ("--redis", "redis://x", "--namespace", "a", "--shared-with-node"),
                "--shared-with-node: excludes a namespace",
            ),
            (("--allowed-origin", "example.com"), "--allowed-origin: "),
            (("--allowed-origin", "http://[::1"), "--allowed-origin: "),
            (("--allowed-host", "example.com:80"), "--allowed-host: "),
            (("--allowed-origin", "*", "--allowed-origin", "http://a"), "--allowed-origin: "),
            (("--trusted-proxy", "10.0.0.0/33"), "--trusted-proxy: has '10.0.0.0/33'"),
            (
                ("--limit", "chanels=1"),
                "--limit chanels: is not an option: is it channels or calls?",
            ),
            (("--limit", "x=1"), "--limit x: is not an option: is it misspelt?"),
            (("--limit", "channels"), "--limit channels: it must be NAME=VALUE, such as"),
            (("--limit", "channels=x"), "--limit channels: expected whole number, got text"),
            (("--log-level", "loud"), "--log-level: 'loud' is not one of critical, debug, error"),
            (("--limit", "channels=1.5"), "--limit channels: expected whole number, got number"),
            (("--limit", "channels=0"), "--limit channels: is 0: it must be a whole number"),
            (("--limit", "auth_timeout=nan"), "--limit auth_timeout: is nan: it must be"),
            (("--limit", "auth_timeout=s\nx"), "--limit auth_timeout: expected number, got text"),
            (("--limit", "channels=" + "9" * 5000), "--limit channels: "),
            (("--drain", "5s"), "--drain: expected number, got text"),
            (("--drain-delay", "-1"), "--drain-delay: is -1: it must be a number of seconds"),
            (("--admin", "bogus:1"), "--admin bogus:1: "),
            (("--listen", "\udcff"), "--listen \\udcff: '\\\\udcff' is not an endpoint"),
            (("--limit", "\udcff=1"), "--limit \\udcff: is not an option: is it misspelt?"),
            (
                ("--admin", "tcp:1"),
                "--admin tcp:1: other machines reach tcp:1: it needs a key, --admin-key-file FILE",
            ),
            (("--admin-key-file", "x"), "--admin-key-file needs --admin"),
            (
                ("--admin", "tcp:1", "--admin-key-file", "missing"),
                "--admin-key-file: the file missing cannot be read: No such file",
            ),
            (("--actions", "txtokensock_missing:x"), "--actions: there is no module"),
            (("--authentication", "json:__name__"), "--authentication: json:__name__ is a str"),
            (("--limits-for", "json:__name__"), "--limits-for: json:__name__ is a str"),
        ):
            reactor = MemoryReactorClock()
            status, line = self.exit_of("serve", *arguments, reactor=reactor)
            self.assertEqual(status, 2, arguments)
            self.assertTrue(line.startswith(f"twistd tokensock: {said}"), line)
            self.assertEqual(line.count("\n"), 1, line)
            self.assertEqual((reactor.tcpServers, reactor.getDelayedCalls()), ([], []))

    def test_limits(self) -> None:
        """Every limit can be set, and is in the help with its default."""
        given: dict[str, Any] = {
            field.name: field.default * 2 if isinstance(field.default, int) else 1.5
            for field in fields(Limits)
        }
        made: list[dict[str, Any]] = []

        def server(*args: Any, **options: Any) -> TokenSocketServer:
            made.append(options)
            return TokenSocketServer(*args, **options)

        self.patch(serve, "TokenSocketServer", server)
        options = [option for name in given for option in ("--limit", f"{name}={given[name]}")]
        self.made("serve", "--limit", "channels=1", *options, "--trusted-proxy", "10.0.0.0/8")
        self.made("serve")
        self.assertEqual([each["limits"] for each in made], [Limits(**given), Limits()])
        self.assertEqual([each["trusted_proxies"] for each in made], [("10.0.0.0/8",), ()])
        text = " ".join(str(ServeOptions()).split())
        for field in fields(Limits):
            self.assertIn(f" {field.name}={field.default}", text)

    def test_missing_extras(self) -> None:
        """What is not installed is named, with the way to install it."""
        for module, arguments in (
            ("txredisapi", ("--redis", "redis://127.0.0.1", "--namespace", "a")),
            ("prometheus_client", ("--admin", "tcp:9090:interface=127.0.0.1")),
        ):
            with mock.patch("importlib.util.find_spec", return_value=None) as find_spec:
                for user in ("txtokensock.tap.serve", "txtokensock.server.store.redis"):
                    self.patch(sys.modules[user], "find_spec", find_spec)
                status, said = self.exit_of("serve", *arguments)
            self.assertEqual((status, said.count("\n")), (2, 1))
            self.assertRegex(said, rf"needs {module}: pip install 'txtokensock\[\w+\]'")

    def test_secrets(self) -> None:
        """The password of a Redis is in no error, no log and no repr."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        options = Options()
        url = "redis://user:s3cret@127.0.0.1/2"
        options.parseOptions(["serve", "--redis", url, "--namespace", "a"])
        service = makeService(options, MemoryReactorClock())
        shown = [repr(options), repr(options.subOptions), repr(service)]
        shown += [formatEvent(event) or "" for event in logged]
        self.assertIn("<RedisStore redis://127.0.0.1:6379 database 2>", shown[-1])
        for url in (
            "http://:s3cret@127.0.0.1",
            "redis://:s3cret@127.0.0.1/x",
            "redis://:s3cret@127.0.0.1:x/0",
            "redis://:s3cret@a..b/0",
            "redis://:s3cret/s3cret@127.0.0.1",
            "unix://:s3cret@",
        ):
            for arguments in ([url], ["--redis", url], ["--rediss", url], ["--redis", url, "x"]):
                shown.append(self.exit_of("serve", *arguments)[1])
        for text in shown:
            self.assertNotIn("s3cret", text)

    def test_demonstration(self) -> None:
        """Who serves the demonstration's actions, or lets everybody in, reads so in the log."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.made("serve", "--listen", "tcp:1:interface=127.0.0.1")
        self.assertEqual(
            [event["log_level"].name for event in logged if "no --" in event["log_format"]],
            ["warn", "info"],
        )
        self.made("serve", "--listen", "tcp:1", "--authentication", "demo")
        (meant,) = [event for event in logged if "--authentication demo" in event["log_format"]]
        self.assertEqual(meant["log_level"].name, "warn")
        count = len(logged)
        self.made(
            *("serve", "--listen", "tcp:1", "--actions", "txtokensock.server.demo:ACTIONS"),
            *("--authentication", "txtokensock.server:query"),
        )
        self.assertEqual(len(logged), count)

    def certificate(self) -> tuple[Path, Path]:
        """The files of a certificate and its key."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return self_signed("localhost").write(Path(directory.name))

    def test_public_demonstration(self) -> None:
        """Others than this machine can reach it only where that was said to be meant."""
        certificate, key = self.certificate()
        ssl = f"ssl:443:privateKey={key}:certKey={certificate}"
        for listen in (
            *("tcp:80", "tcp:80:interface=", "tcp:80:interface=0.0.0.0", "tcp:80:10.0.0.1"),
            *("tcp:80:interface=127.0.0.1:interface=0.0.0.0", r"tcp:80:interface=127.0.0.1\:0"),
            *("tcp:80:interface=localhost.example", "tcp:80:interface=128.0.0.1"),
            *("tcp6:80", r"tcp6:80:interface=\:\:", r"tcp6:80:50:2001\:db8\:\:1"),
            *(ssl, f"{ssl}:interface=0.0.0.0", f"ssl:443:{key}:{certificate}:TLS_METHOD:10.0.0.1"),
            *("haproxy:tcp:80", "haproxy:tcp:80:interface=127.0.0.1"),
        ):
            reactor = MemoryReactorClock()
            status, line = self.exit_of("serve", "--listen", listen, reactor=reactor)
            self.assertEqual(status, 2, listen)
            self.assertTrue(line.startswith(f"twistd tokensock: --listen {listen}: "), line)
            self.assertIn("--authentication demo", line)
            self.assertEqual(line.count("\n"), 1, line)
            self.assertEqual((reactor.tcpServers, reactor.getDelayedCalls()), ([], []))
            for meant in ("demo", "txtokensock.server.demo:authenticate"):
                self.made("serve", "--listen", listen, "--authentication", meant)

    def test_demonstration_for_this_machine(self) -> None:
        """It needs no word where nobody else can connect."""
        certificate, key = self.certificate()
        ssl = f"ssl:443:privateKey={key}:certKey={certificate}"
        for listen in (
            *("tcp:1:interface=127.0.0.1", "tcp:1:127.0.0.2", "tcp:1:interface=localhost"),
            *(
                r"tcp6:1:interface=\:\:1",
                r"tcp6:1:50:\:\:1",
                "unix:socket",
                f"{ssl}:interface=127.0.0.1",
                f"ssl:443:{key}:{certificate}:TLS_METHOD:127.0.0.1",
            ),
        ):
            self.made("serve", "--listen", listen)

    def test_welcome_is_the_demonstrations(self) -> None:
        """What to try is printed where that works, and nowhere else."""
        for arguments, shown in (
            (("serve",), True),
            (("serve", "--listen", "tcp:1:interface=127.0.0.1"), False),
            (("serve", "--authentication", "demo"), True),
            (("serve", "--actions", "txtokensock.server.demo:ACTIONS"), True),
            (("serve", "--authentication", "txtokensock.server:query"), False),
        ):
            service = self.made(*arguments)
            with mock.patch.object(sys, "__stdout__", io.StringIO()) as said:
                service.privilegedStartService()
                service.startService()
            self.successResultOf(service.stopService())
            self.assertEqual(bool(said.getvalue()), shown, arguments)

    def test_admin_has_a_port_of_its_own(self) -> None:
        """Clients do not find the pages for operators."""
        reactor = MemoryReactorClock()
        service = self.made(
            *("serve", "--listen", "tcp:1", "--authentication", "demo"),
            *("--admin", "tcp:2:interface=127.0.0.1"),
            reactor=reactor,
        )
        service.privilegedStartService()
        self.assertEqual(
            [(port, interface) for port, _, _, interface in reactor.tcpServers],
            [(1, ""), (2, "127.0.0.1")],
        )
        self.assertIsInstance(reactor.tcpServers[0][1], BoundedSite)
        self.assertIsInstance(reactor.tcpServers[1][1], BoundedSite)

    def test_order_of_the_end(self) -> None:
        """The port first, then the peers, and last the pages that say so."""
        reactor = PortsReactor()
        service = self.made(
            *("serve", "--listen", "tcp:1", "--authentication", "demo"),
            *("--admin", "tcp:2:interface=127.0.0.1"),
            reactor=reactor,
        )
        service.privilegedStartService()
        service.startService()
        server_stopped: Deferred[None] = Deferred()
        server = next(each for each in service if isinstance(each, TokenSocketServer))

        def stop() -> Deferred[None]:
            reactor.stopped.append("server")
            return server_stopped

        self.patch(server, "stopService", stop)
        stopped = service.stopService()
        self.assertEqual(reactor.stopped, [1, "server"])
        self.assertNoResult(stopped)
        server_stopped.callback(None)
        self.assertEqual(reactor.stopped, [1, "server", 2])
        self.successResultOf(stopped)

    def test_help(self) -> None:
        """What has several lines in the source has no gaps in the help."""
        usage = ServeOptions().getUsage(width=1000)  # type: ignore[no-untyped-call]
        self.assertEqual(usage.count("It may be given several times."), 4)

    def test_listening(self) -> None:
        """Where a server listens reads in the log as people write it."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        service = self.made()
        service.privilegedStartService()
        service.startService()
        self.addCleanup(service.stopService)
        (event,) = [each for each in logged if each.get("event") == "serve.listening"]
        self.assertRegex(formatEvent(event) or "", r"^token-sockjs server on [\d.]+:8080$")

    def test_port_in_use(self) -> None:
        """A port in use is one line that says what to do, and exit status 1."""
        said = self.refusal()
        self.assertEqual(said.count("\n"), 1)
        self.assertIn("8080", said)
        self.assertIn("already in use", said)
        self.assertIn("--listen", said)

    def test_port_in_use_with_options(self) -> None:
        """What is proposed leaves out no option that was given: it is an option, not a command."""
        said = self.refusal("serve", "--authentication", "demo", "--config", self.file(""))
        self.assertIn("another place: --listen tcp:8081:interface=127.0.0.1\n", said)

    def test_tls_port_in_use(self) -> None:
        """For TLS this is in the configuration, for no option of the command line has it."""
        certificate, key = self.certificate()
        file = self.file(
            '[server]\nauthentication = "demo"\n[tls]\nlisten = "tcp:8443"\n'
            f'certificate = "{certificate}"\nkey = "{key}"\n'
        )
        self.assertIn("another place: listen in [tls]\n", self.refusal("serve", "-c", file))

    def file(self, text: str) -> str:
        """The path of a configuration."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name, "serve.toml")
        path.write_text(text)
        return str(path)

    def refusal(self, *arguments: str) -> str:
        """What is said where every port is in use."""
        service = self.made(*arguments, reactor=BusyReactor())
        said = io.StringIO()
        with mock.patch.object(sys, "__stderr__", said):
            ended = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertEqual(ended.code, 1)
        return said.getvalue()
