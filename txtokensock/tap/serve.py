"""
``twistd tokensock serve``: makes a service of a configuration, or says what is wrong with it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.logger import Logger
from twisted.web.server import Site

from ..config.document import ConfigError, Document
from ..config.section import Problem, checked
from ..errors import InvalidOption
from ..server import TokenSocketServer
from ..server.demo import ACTIONS, authenticate
from ..server.ops.admin import AdminPages, admin_site
from ..web.server.hosts import HostPolicy
from ..web.server.proxy_protocol import server_endpoint
from ..web.tls.server_certificate import TLSServerEndpoint
from .endpoint_service import EndpointService
from .fatal import fail, fail_by_config
from .object_reference import load_actions, load_function
from .serve_config import EMBEDDED_LISTEN, ServeConfig, read_config
from .serve_service import Parts, ServeService
from .twistd_options import ServeOptions

if TYPE_CHECKING:
    from ..server.ops.metrics import ServerMetrics

__all__ = ["make_demo_server", "make_server"]

_log = Logger()


def make_demo_server(reactor: Any) -> ServeService:
    """Make the service of ``twistd tokensock`` alone: the demonstration, for this machine."""
    options = ServeOptions()
    demo = "txtokensock.server.demo"
    arguments = ["--actions", f"{demo}:ACTIONS", "--authentication", f"{demo}:authenticate"]
    options.parseOptions(arguments)  # type: ignore[no-untyped-call]
    return make_server(options, reactor)


def make_server(options: ServeOptions, reactor: Any) -> ServeService:
    """
    Make the service that the options ask for.

    :raises SystemExit: with status 2 and a line for each mistake; with 0 if the configuration was
        only to be checked.
    """
    name = options["config"]
    try:
        document = options.document()
        config = read_config(document)
        elsewhere = "--listen tcp:8081:interface=127.0.0.1"
        if name is None and _is_demonstration(config):
            elsewhere = f"{sys.argv[0]} --pidfile= -n tokensock serve {elsewhere}"
        builder = _Builder(document, config, elsewhere, reactor)
        builder.build()
    except ConfigError as error:
        fail_by_config(error)
    if options["check"]:
        print(f"{name or 'the options'}: good", file=sys.__stdout__, flush=True)
        raise SystemExit(0)
    if name is not None:
        name = options["config"] = str(Path(name).absolute())  # a daemon leaves its directory
    return ServeService(
        config,
        builder.parts(),
        lambda: read_config(options.document()),
        path=name or "the options",
        reactor=reactor,
        welcome=_welcome() if _is_demonstration(config) else None,
    )


def _is_demonstration(config: ServeConfig) -> bool:
    """Whether what the welcome shows works."""
    server = config.server
    return (
        config.listen() == (EMBEDDED_LISTEN,)
        and (config.tls, config.redis) == (None, None)
        and server.authentication in (None, "demo", "txtokensock.server.demo:authenticate")
        and server.actions in (None, "txtokensock.server.demo:ACTIONS")
    )


@define(eq=False, repr=False, slots=False)
class _Builder:
    """
    Makes the parts of a service, and collects what is wrong with the application's code.

    :param document: what the configuration is from.
    :param elsewhere: what chooses another place to listen.
    """

    _document: Document
    _config: ServeConfig
    _elsewhere: str
    _reactor: Any
    _found: list[Problem] = field(init=False, factory=list)

    def build(self) -> None:
        """
        Make all that needs no socket.

        :raises ConfigError: with all that is wrong.
        """
        config, section = self._config, self._config.server
        options = config.options()
        self._function = self._loaded("limits_for", load_function)
        if self._function is not None:
            options["limits_for"] = self._function
        is_demo = section.authentication in (None, "demo")
        authentication = authenticate if is_demo else self._loaded("authentication", load_function)
        actions = self._loaded("actions", load_actions, ACTIONS)
        filter = self._loaded("filter", load_function)
        hooks = {
            event: self._made(f"server.hooks.{event}", load_function, reference)
            for event, reference in section.hooks.items()
        }
        metrics = None if config.admin is None else self._metrics()
        self._stop_if_wrong()
        try:
            self._server = server = TokenSocketServer(
                authentication,
                actions=actions,
                filter=filter,
                store=None if config.redis is None else config.redis.store(),
                token_path=section.token_path,
                socket_prefix=section.socket_prefix,
                ping=section.ping,
                acks=section.acks,
                jsonp=section.jsonp,
                expose_errors=section.expose_errors,
                observer=metrics,
                reactor=self._reactor,
                **options,
            )
        except InvalidOption as problem:
            # The text begins with the name of the option.
            name, _, what = str(problem).partition(" ")
            self._found.append(Problem(f"server.{name}", what))
            self._stop_if_wrong()
        for event, hook in hooks.items():
            self._found += checked(f"server.hooks.{event}", server.on, event, hook)
        self._stop_if_wrong()
        self._certificate = None if config.tls is None else config.tls.read()
        self._admin_pages = None if metrics is None else self._pages(server, metrics)

    def parts(self) -> Parts:
        """
        The parts, with what listens.

        :raises SystemExit: with status 1, if systemd has not passed a socket.
        """
        self._say_what_is_meant()
        # One for all addresses, so that its limits count for all of them together.
        public = self._server.site()
        public.noisy = False
        pages, config = self._admin_pages, self._config
        listening = [self._service(each, public, self._elsewhere) for each in config.listen()]
        for each in config.tls_listen():
            listening.append(self._service(each, public, "listen in [tls]", secure=True))
        admin = None if pages is None else self._admin(pages)
        return Parts(self._server, listening, admin, self._certificate, pages, self._function)

    def _admin(self, pages: AdminPages) -> EndpointService:
        assert self._config.admin is not None
        site = admin_site(pages, self._reactor, trusted_proxies=self._server.trusted_proxies)
        elsewhere = "--admin tcp:9091:interface=127.0.0.1"
        return self._service(self._config.admin.listen, site, elsewhere, "admin pages")

    def _service(
        self,
        description: str,
        site: Site,
        elsewhere: str,
        what: str = "token-sockjs server",
        *,
        secure: bool = False,
    ) -> EndpointService:
        try:
            endpoint = server_endpoint(self._reactor, description)
        except InvalidOption as problem:
            fail(f"cannot listen on {problem}", 1)
        if secure:
            assert self._certificate is not None
            endpoint = TLSServerEndpoint(endpoint, self._certificate)
        return EndpointService(endpoint, description, site, what, elsewhere)

    def _pages(self, server: TokenSocketServer, metrics: ServerMetrics) -> AdminPages:
        from ..server.ops.metrics import metrics_page

        admin = self._config.admin
        assert admin is not None
        registry = metrics.registry(server)
        hosts = HostPolicy(self._config.server.allowed_hosts)
        pages = AdminPages(server, lambda: metrics_page(registry), self._reactor, hosts)
        pages.key = None if admin.key is None else admin.key.for_header()
        return pages

    def _metrics(self) -> ServerMetrics | None:
        if find_spec("prometheus_client") is None:
            text = "needs prometheus_client: pip install 'txtokensock[metrics]'"
            self._found.append(Problem("admin", text))
            return None
        from ..server.ops.metrics import ServerMetrics

        return ServerMetrics()

    def _loaded(self, option: str, load: Callable[[str], Any], default: Any = None) -> Any:
        reference = getattr(self._config.server, option)
        if not isinstance(reference, str):
            return default
        return self._made(f"server.{option}", load, reference)

    def _made(self, path: str, load: Callable[[str], Any], reference: str) -> Any:
        try:
            return load(reference)
        except InvalidOption as problem:
            self._found.append(Problem(path, str(problem)))
            return None

    def _stop_if_wrong(self) -> None:
        if self._found:
            raise self._document.error(self._found)

    def _say_what_is_meant(self) -> None:
        """In the log: what the demonstration has, and who it lets in."""
        section = self._config.server
        if section.authentication in (None, "demo"):
            given = "no --authentication"
            if section.authentication is not None:
                given = "--authentication demo"
            _log.warn(
                f"{given}: this is the demonstration's, which lets everybody in as whoever they"
                " say they are",
                event="serve.demo_authentication",
            )
        if section.actions is None:
            _log.info(
                "no --actions: these are the demonstration's, echo and whoami",
                event="serve.demo_actions",
            )
        if self._config.redis is not None:
            _log.info(
                "tokens and channels are in {store}",
                event="serve.store",
                store=self._config.redis.store(),
            )


def _welcome() -> str:
    command = _command()
    return f"""\
A token-sockjs server is on http://127.0.0.1:8080, in memory, for this machine only.
Try it from a second terminal:

    {command} rpc echo '{{"foo":"bar"}}'
    {command} listen channel1
    {command} publish channel1 '{{"foo":"bar"}}'
"""


def _command() -> str:
    """The command ``tokensock`` as it can be typed in another terminal."""
    if shutil.which("tokensock"):
        return "tokensock"
    beside = Path(sys.argv[0]).absolute().with_name("tokensock")
    return str(beside) if beside.exists() else "tokensock"
