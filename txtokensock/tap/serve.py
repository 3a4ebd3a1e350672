"""
``twistd tokensock``: options to services.

The options only parse; :func:`makeService` builds.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.application.service import IService
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python import usage
from twisted.web.server import Site

from ..actions import Actions
from ..bridge.config.listen import Listen
from ..errors import InvalidOption
from ..server import RedisStore, TokenSocketServer
from ..server.demo import ACTIONS, authenticate
from ..server.ops.admin import AdminPages, QuietSite
from ..server.origins import AllowedOrigins, Origins
from ..server.token_route import Authenticate
from .bridge import BridgeOptions, bridging
from .endpoint_service import Listening, Serving, fail
from .object_reference import load_actions, load_function

if TYPE_CHECKING:
    from ..server.ops.metrics import ServerMetrics

__all__ = ["Options", "makeService"]

T = TypeVar("T")

_log = Logger()

EMBEDDED_LISTEN = "tcp:8080:interface=127.0.0.1"
"""Where the embedded server listens, and where ``tokensock`` looks for one."""


class ServeOptions(usage.Options):
    """``twistd tokensock serve``."""

    synopsis = "[options]"
    longdesc = (
        "A token-sockjs server. Without options: in memory, with the actions echo and whoami,"
        " for everybody on this machine."
    )
    optParameters = [
        [
            *("listen", "l", EMBEDDED_LISTEN),
            "Where to listen: a Twisted endpoint string, such as tcp:8080 or"
            " ssl:443:privateKey=key.pem:certKey=cert.pem",
        ],
        [
            *("redis", None, None),
            "Share tokens and channels with other servers, Node's among them:"
            " a URL such as redis://127.0.0.1:6379/0",
        ],
        [
            *("namespace", None, None),
            "Prefix of all keys and channels in Redis, where no Node server shares it",
        ],
        [
            *("actions", None, None),
            "module:attribute of a mapping of names to functions (data, peer),"
            " or of a function that returns one",
        ],
        [
            *("authentication", None, None),
            "module:attribute of a function of the token request that returns who that is;"
            " demo lets everybody in as whoever they say they are, which has to be said where"
            " --listen is not for this machine alone",
        ],
        [
            *("admin", None, None),
            "Where to have /healthz, /readyz and /metrics: an endpoint string that clients do"
            " not reach, such as tcp:9090:interface=127.0.0.1",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["allowed-origins"] = []

    def opt_allowed_origin(self, origin: str) -> None:
        """
        Let pages of this origin in, such as https://app.example.com, besides the server's
        own; * for all.  It may be given several times.
        """
        self["allowed-origins"].append(origin)

    def postOptions(self) -> None:
        """Make a store of the URL, which may hold a password: the store does not show it."""
        url, namespace = self.pop("redis"), self["namespace"]
        if url is None and namespace is not None:
            raise usage.UsageError("--namespace is nothing without --redis")
        try:
            self["store"] = None if url is None else RedisStore(url, namespace)
        except InvalidOption as problem:
            raise usage.UsageError(f"--redis: {problem}") from None


class Options(usage.Options):
    """``twistd tokensock``."""

    synopsis = ""  # it stands before that of each command
    longdesc = (
        "Without a command: an embedded token-sockjs server on 127.0.0.1:8080, to try"
        " things out with the command 'tokensock'."
    )
    subCommands = [
        ["serve", None, ServeOptions, "Serve the token-sockjs protocol."],
        ["bridge", None, BridgeOptions, "Connect a server with WAMP and HTTP."],
    ]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, or exit with status 2 and one line that says what is wrong."""
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as problem:
            command = f" {self.subCommand}" if self.subCommand else ""
            fail(f"{problem} (see twistd tokensock{command} --help)", 2)


def makeService(options: Options, reactor: Any = None) -> IService:
    """
    The service for ``twistd``'s options.

    :param reactor: the reactor; by default the global one.
    :raises SystemExit: with status 2, for an option that cannot be.
    """
    if reactor is None:
        from twisted.internet import reactor
    if options.subCommand == "bridge":
        return bridging(options.subOptions, reactor)
    return _serving(options.subOptions, reactor) if options.subCommand else _embedded(reactor)


def _embedded(reactor: Any) -> Serving:
    endpoint = _endpoint(reactor, "listen", EMBEDDED_LISTEN)
    server = TokenSocketServer(authenticate, actions=ACTIONS, ping=True, reactor=reactor)
    return Serving(server, Listening(endpoint, EMBEDDED_LISTEN, _site(server)), welcome=_welcome())


def _serving(options: ServeOptions, reactor: Any) -> Serving:
    listen, admin, store = options["listen"], options["admin"], options["store"]
    endpoint = _endpoint(reactor, "listen", listen)
    metrics = None if admin is None else _metrics()
    authentication = _authentication(options["authentication"], listen)
    actions = _actions(options["actions"])
    server = TokenSocketServer(
        authentication,
        actions=actions,
        store=store,
        allowed_origins=_allowed_origins(options["allowed-origins"]),
        observer=metrics,
        reactor=reactor,
    )
    if store is not None:
        _log.info("tokens and channels are in {store}", store=store)
    is_embedded = listen == EMBEDDED_LISTEN and store is None
    is_demo = actions is ACTIONS and authentication is authenticate
    return Serving(
        server,
        Listening(endpoint, listen, _site(server)),
        None if metrics is None else _admin(admin, server, metrics, reactor),
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


def _allowed_origins(origins: Sequence[str]) -> AllowedOrigins:
    allowed: AllowedOrigins = "*" if list(origins) == ["*"] else origins
    _checked("allowed-origin", Origins, allowed)
    return allowed


def _metrics() -> ServerMetrics:
    if find_spec("prometheus_client") is None:
        fail("--admin needs prometheus_client: pip install txtokensock[metrics]", 2)
    from ..server.ops.metrics import ServerMetrics

    return ServerMetrics()


def _admin(
    description: str, server: TokenSocketServer, metrics: ServerMetrics, reactor: Any
) -> Listening:
    from ..server.ops.metrics import metrics_page

    endpoint = _endpoint(reactor, "admin", description)
    registry = metrics.registry(server)
    pages = AdminPages(server, lambda: metrics_page(registry), reactor)
    site = QuietSite(pages, reactor=reactor)
    elsewhere = "serve --admin tcp:9091:interface=127.0.0.1"
    return Listening(endpoint, description, site, "admin pages", elsewhere)


def _checked(option: str, make: Callable[[Any], T], value: Any) -> T:
    """What ``make`` makes of an option's value."""
    try:
        return make(value)
    except InvalidOption as problem:
        fail(f"--{option}: {problem}", 2)


def _endpoint(reactor: Any, option: str, description: str) -> IStreamServerEndpoint:
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    except Exception as problem:
        # Whatever the endpoint's parser stumbles over: ValueError, TypeError, KeyError ...
        fail(f"--{option} {description}: {problem}", 2)
    return endpoint


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
    """``tokensock`` as it can be typed in another terminal."""
    if shutil.which("tokensock"):
        return "tokensock"
    beside = Path(sys.argv[0]).absolute().with_name("tokensock")
    return str(beside) if beside.exists() else "tokensock"
