"""
``twistd tokensock serve``: makes a service of options, or says in one line what is wrong.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger
from twisted.web.server import Site

from ..actions import Actions
from ..config.listen import Listen
from ..errors import InvalidOption
from ..server import TokenSocketServer
from ..server.demo import ACTIONS, authenticate
from ..server.limits import Limits, LimitsFor
from ..server.ops.admin import AdminPages, admin_site
from ..server.token_route import Authenticate
from ..web.server.hosts import HostPolicy
from ..web.server.origins import AllowedOrigins, OriginPolicy
from ..web.server.proxy_protocol import server_endpoint
from ..web.server.trusted_proxies import TrustedProxies
from .endpoint_service import EndpointService
from .fatal import fail
from .object_reference import load_actions, load_function
from .serve_service import ServeService
from .twistd_options import EMBEDDED_LISTEN, ServeOptions

if TYPE_CHECKING:
    from ..server.ops.metrics import ServerMetrics

__all__ = ["make_demo_server", "make_server"]

T = TypeVar("T")

_log = Logger()


def make_demo_server(reactor: Any) -> ServeService:
    """Make the service of ``twistd tokensock`` alone: the demonstration, for this machine."""
    endpoint = _endpoint(reactor, "listen", EMBEDDED_LISTEN)
    server = TokenSocketServer(authenticate, actions=ACTIONS, ping=True, reactor=reactor)
    return ServeService(
        server, EndpointService(endpoint, EMBEDDED_LISTEN, _site(server)), welcome=_welcome()
    )


def make_server(options: ServeOptions, reactor: Any) -> ServeService:
    """
    Make the service that the options ask for.

    :raises SystemExit: with status 2 and one line, if an option is not valid.
    """
    listen, admin, store = options["listen"], options["admin"], options["store"]
    endpoint = _endpoint(reactor, "listen", listen)
    metrics = None if admin is None else _metrics()
    authentication = _authentication(options["authentication"], listen)
    actions = _actions(options["actions"])
    hosts = _allowed_hosts(options["allowed-hosts"])
    server = TokenSocketServer(
        authentication,
        actions=actions,
        store=store,
        allowed_origins=_allowed_origins(options["allowed-origins"]),
        allowed_hosts=hosts,
        trusted_proxies=_trusted_proxies(options["trusted-proxies"]),
        limits=_checked("limit", _limits, options["limits"]),
        limits_for=_limits_for(options["limits-for"]),
        observer=metrics,
        reactor=reactor,
    )
    if store is not None:
        _log.info("tokens and channels are in {store}", store=store)
    is_embedded = listen == EMBEDDED_LISTEN and store is None
    is_demo = actions is ACTIONS and authentication is authenticate
    return ServeService(
        server,
        EndpointService(endpoint, listen, _site(server)),
        None if metrics is None else _admin(admin, server, metrics, hosts, reactor),
        welcome=_welcome() if is_embedded and is_demo else None,
    )


def _actions(reference: str | None) -> Actions:
    if reference is None:
        _log.info("no --actions: these are the demonstration's, echo and whoami")
        return ACTIONS
    return _checked("actions", load_actions, reference)


def _authentication(reference: str | None, listen: str) -> Authenticate:
    if reference is None and not Listen.parse(listen).loopback:
        fail(
            f"--listen {listen}: other machines can connect there, and without --authentication"
            " everybody is let in as whoever they say they are. Add --authentication"
            " module:function, or --authentication demo if that is what you want",
            2,
        )
    if reference in (None, "demo"):
        given = "no --authentication" if reference is None else "--authentication demo"
        _log.warn(
            f"{given}: this is the demonstration's, which lets everybody in as whoever they say"
            " they are"
        )
        return authenticate
    return _checked("authentication", load_function, reference)


def _limits_for(reference: str | None) -> LimitsFor | None:
    return None if reference is None else _checked("limits-for", load_function, reference)


def _allowed_origins(origins: Sequence[str]) -> AllowedOrigins:
    allowed: AllowedOrigins = "*" if list(origins) == ["*"] else origins
    _checked("allowed-origin", OriginPolicy, allowed)
    return allowed


def _allowed_hosts(hosts: Sequence[str]) -> Sequence[str]:
    _checked("allowed-host", HostPolicy, hosts)
    return hosts


def _trusted_proxies(networks: Sequence[str]) -> Sequence[str]:
    _checked("trusted-proxy", TrustedProxies, networks)
    return networks


def _limits(texts: Sequence[str]) -> Limits:
    """:raises InvalidOption: if a text is not ``NAME=VALUE`` of a limit."""
    names = [field.name for field in fields(Limits)]
    values: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in names:
            close = get_close_matches(name, names) or names
            raise InvalidOption(f"there is no limit {name!r}; is it {' or '.join(close)}?")
        values[name] = _number(value)
    return Limits(**values)


def _number(text: str) -> int | float | str:
    """The number that a text is; what is none is left to be refused."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _metrics() -> ServerMetrics:
    if find_spec("prometheus_client") is None:
        fail("--admin needs prometheus_client: pip install txtokensock[metrics]", 2)
    from ..server.ops.metrics import ServerMetrics

    return ServerMetrics()


def _admin(
    description: str,
    server: TokenSocketServer,
    metrics: ServerMetrics,
    hosts: Sequence[str],
    reactor: Any,
) -> EndpointService:
    from ..server.ops.metrics import metrics_page

    endpoint = _endpoint(reactor, "admin", description)
    registry = metrics.registry(server)
    pages = AdminPages(server, lambda: metrics_page(registry), reactor, HostPolicy(hosts))
    site = admin_site(pages, reactor, trusted_proxies=server.trusted_proxies)
    elsewhere = "serve --admin tcp:9091:interface=127.0.0.1"
    return EndpointService(endpoint, description, site, "admin pages", elsewhere)


def _checked(option: str, make: Callable[[Any], T], value: Any) -> T:
    """Call ``make`` with an option's value, or end the process if that raises."""
    try:
        return make(value)
    except InvalidOption as problem:
        fail(f"--{option}: {problem}", 2)


def _endpoint(reactor: Any, option: str, description: str) -> IStreamServerEndpoint:
    try:
        return server_endpoint(reactor, description)
    except Exception as problem:
        # Parsers of endpoints raise ValueError, TypeError, KeyError ...
        fail(f"--{option} {description}: {problem}", 2)


def _site(server: TokenSocketServer) -> Site:
    site = server.site()
    site.noisy = False
    return site


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
