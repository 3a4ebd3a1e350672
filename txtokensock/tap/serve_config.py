"""
The configuration of ``twistd tokensock serve``, of a file and the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any, get_type_hints

from msgspec import defstruct, field
from msgspec.structs import asdict
from twisted.logger import Logger

from ..address import url_path
from ..config.document import Document, Sections, no_problems
from ..config.listen import Listen
from ..config.log import LogConfig
from ..config.numbers import numbers, seconds
from ..config.section import Problem, Secret, Section, checked, revealed
from ..config.tls import TlsConfig, key_file
from ..errors import InvalidOption
from ..server import SHARED_WITH_NODE, Limits, RedisStore
from ..server.hooks import Event
from ..server.limits import OF_ONE_PEER
from ..server.store.redis_url import RedisURL
from ..server.tokens import Identity
from ..sockjs import SockJSOptions
from ..support.checks import check_count, check_positive, check_wait
from ..web.server.hosts import HostPolicy
from ..web.server.origins import OriginPolicy
from ..web.server.trusted_proxies import TrustedProxies
from ..web.tls.server_certificate import ServerCertificate

__all__ = [
    "EMBEDDED_LISTEN",
    "SECTIONS",
    "AdminConfig",
    "LimitsConfig",
    "OwnLimits",
    "RedisConfig",
    "ServeConfig",
    "ServerConfig",
    "SockJSConfig",
    "TLSConfig",
    "read_config",
]

_log = Logger()

EMBEDDED_LISTEN = "tcp:8080:interface=127.0.0.1"
"""Where the embedded server listens, and where ``tokensock`` looks for one."""

_OF_THE_SERVER = ("allowed_origins", "allowed_hosts", "trusted_proxies")

_DRAIN = 5.0
"""Seconds, where there are other servers: of a thousand clients, 200 a second come to them."""

_OF_LIMITS = ("max_message_size", "max_array_length", "max_buffered", "max_buffered_total")


def _section(name: str, options: list[tuple[str, Any, Any]]) -> Any:
    return defstruct(name, options, bases=(Section,), module=__name__, frozen=True)


LimitsConfig = _section(
    "LimitsConfig", [(each.name, type(each.default), each.default) for each in fields(Limits)]
)
"""``[limits]``: every one of :class:`~txtokensock.server.Limits`."""

SockJSConfig = _section(
    "SockJSConfig",
    [
        (each.name, get_type_hints(SockJSOptions)[each.name], each.default)
        for each in fields(SockJSOptions)
        if each.name not in (*_OF_THE_SERVER, *_OF_LIMITS, "max_sessions_per_address")
    ],
)
"""``[sockjs]``: those of :class:`~txtokensock.sockjs.SockJSOptions` that nothing else sets."""


class OwnLimits(Section, frozen=True):
    """
    ``[[server.limits_for]]``: peers with limits of their own.  The first one that fits counts.

    :ivar identity: what the identity of such a peer has: each of these keys with this value, and
        tables within tables likewise.
    :ivar limits: what is different for them, of what ``limits_for`` can change.
    """

    identity: dict[str, Any]
    limits: dict[str, int | float]


class ServerConfig(Section, frozen=True):
    """
    ``[server]``.

    :ivar listen: where to listen, an endpoint string of Twisted's or several, such as
        ``"tcp:8080"`` or ``"systemd:domain=INET:index=0"``; without it, and without ``[tls]``, on
        127.0.0.1:8080.
    :ivar authentication: ``module:attribute`` of a function of the token request that returns who
        that is; ``demo`` lets everybody in as whoever they say they are.
    :ivar actions: ``module:attribute`` of a mapping of names to functions, or of a function that
        returns one.
    :ivar hooks: ``module:attribute`` of a hook by its event, such as ``publish``.
    :ivar filter: ``module:attribute`` of a filter of messages.
    :ivar limits_for: ``module:attribute`` of a function of an identity that returns the limits of
        that peer; or tables ``[[server.limits_for]]``.
    :ivar token_path: path of the token route.
    :ivar socket_prefix: path of the SockJS server.
    :ivar ping: whether ``_ping`` is an action.
    :ivar acks: whether to acknowledge requests that node-token-sockjs does not answer.
    :ivar jsonp: whether pages of any origin may load tokens as a script.
    :ivar expose_errors: whether clients are told the texts of unexpected exceptions.
    :ivar allowed_origins: origins whose pages may use the server besides its own, or ``"*"``.
    :ivar allowed_hosts: names that requests to a loopback address may be for.
    :ivar trusted_proxies: networks of the proxies that may say who the client is.
    :ivar drain_delay: seconds from SIGTERM for which ``/readyz`` answers 503 already, and all is
        served as before, until a load balancer has noticed.
    :ivar drain: seconds over which all peers are then closed, evenly, and nobody new is taken. By
        default 5 with ``[redis]``, and else 0: without other servers there is nowhere to go.
    """

    listen: str | tuple[str, ...] | None = None
    authentication: str | None = None
    actions: str | None = None
    hooks: dict[Event, str] = field(default_factory=dict)
    filter: str | None = None
    limits_for: str | tuple[OwnLimits, ...] | None = None
    token_path: str = "/socket/token"
    socket_prefix: str = "/sockets"
    ping: bool = True
    acks: bool = True
    jsonp: bool = False
    expose_errors: bool = False
    allowed_origins: str | tuple[str, ...] | None = None
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    drain_delay: float = 0.0
    drain: float | None = None


class TLSConfig(Section, frozen=True, kw_only=True):
    """
    ``[tls]``: listening with TLS.  The files are read again at each reload.

    :ivar listen: where, as in ``[server]``.
    :ivar certificate: a file, PEM, with the certificate, and those of intermediate authorities.
    :ivar key: a file, PEM, with its private key, or a secret that holds it; by default the same
        file.
    """

    listen: str | tuple[str, ...] = "tcp:443"
    certificate: str
    key: str | Secret | None = None

    def read(self) -> ServerCertificate:
        """
        What the files hold now.

        :raises InvalidOption: if one cannot be used.
        """
        return ServerCertificate(self.certificate, key_file(self.key))


class RedisConfig(Section, frozen=True):
    """
    ``[redis]``: what several servers share; see :class:`~txtokensock.server.RedisStore`.

    :ivar url: such as ``redis://10.0.0.5:6379/0``, or with sentinels
        ``redis+sentinel://10.0.0.5:26379,10.0.0.6:26379/MASTER``; or a secret that is one.
    :ivar username: of a user of Redis.
    :ivar password: of that user, or of all.
    :ivar sentinel_password: of the sentinels, where they have one.
    :ivar tls: a table ``[redis.tls]`` for ``rediss://`` and ``rediss+sentinel://``, with
        ``authorities``, ``certificate``, ``key`` and ``server_name`` as
        :class:`~txtokensock.TLSPolicy` has them; without it, the platform's authorities.
    :ivar namespace: a prefix of all keys and channels.
    :ivar shared_with_node: instead of it: the layout of node-token-sockjs, whose servers can then
        be part of the cluster.
    :ivar timeout: seconds in which Redis has to answer.
    """

    url: str | Secret
    username: str | None = None
    password: Secret | None = None
    sentinel_password: Secret | None = None
    tls: TlsConfig | None = None
    namespace: str | None = None
    shared_with_node: bool = False
    timeout: float = 5.0

    def store(self) -> RedisStore:
        """
        Make the store.

        :raises InvalidOption: for an option that is not valid, or a secret that is not there.
        """
        return RedisStore(
            revealed(self.url),
            SHARED_WITH_NODE if self.namespace is None else self.namespace,
            username=self.username,
            password=None if self.password is None else self.password.reveal(),
            sentinel_password=(
                None if self.sentinel_password is None else self.sentinel_password.reveal()
            ),
            tls=None if self.tls is None else self.tls.policy(),
            timeout=self.timeout,
        )


class AdminConfig(Section, frozen=True):
    """
    ``[admin]``: ``/healthz``, ``/readyz``, ``/metrics`` and ``/api``.

    :ivar listen: where, an endpoint string that clients do not reach.
    :ivar key: what ``Authorization: Bearer`` must have for ``/metrics`` and ``/api``, and to be
        told reasons by ``/readyz``.  An address that other machines reach, and the API, need one.
    """

    listen: str
    key: Secret | None = None


class ServeConfig(Section, frozen=True):
    """
    All sections.

    :ivar server: the server itself.
    :ivar tls: listening with TLS.
    :ivar limits: of every peer, and of addresses.
    :ivar sockjs: SockJS.
    :ivar redis: what several servers share; without it, memory.
    :ivar admin: the pages for operators.
    :ivar log: the log.
    """

    server: ServerConfig = field(default_factory=ServerConfig)
    tls: TLSConfig | None = None
    limits: Any = field(default_factory=LimitsConfig)
    sockjs: Any = field(default_factory=SockJSConfig)
    redis: RedisConfig | None = None
    admin: AdminConfig | None = None
    log: LogConfig = LogConfig()

    def listen(self) -> tuple[str, ...]:
        """Where to listen without TLS."""
        if self.server.listen is None:
            return () if self.tls is not None else (EMBEDDED_LISTEN,)
        return _several(self.server.listen)

    def tls_listen(self) -> tuple[str, ...]:
        """Where to listen with TLS."""
        return () if self.tls is None else _several(self.tls.listen)

    def options(self) -> dict[str, Any]:
        """Those of ``TokenSocketServer.reconfigure``, without the application's functions."""
        server = self.server
        return {
            **{name: getattr(server, name) for name in _OF_THE_SERVER},
            "limits": Limits(**asdict(self.limits)),
            "limits_for": self.limits_for(),
            "drain_delay": server.drain_delay,
            "drain": self.drain(),
            "sockjs": asdict(self.sockjs),
        }

    def drain(self) -> float:
        """Seconds over which the peers are closed."""
        if self.server.drain is not None:
            return self.server.drain
        return 0.0 if self.redis is None else _DRAIN

    def limits_for(self) -> Callable[[Identity], Limits | None] | None:
        """Finds the limits of a peer in the tables, where there are any."""
        tables = self.server.limits_for
        if tables is None or isinstance(tables, str):
            return None
        base = asdict(self.limits)
        choices = [(each.identity, Limits(**{**base, **each.limits})) for each in tables]

        def find(identity: Identity) -> Limits | None:
            return next((limits for wanted, limits in choices if _fits(wanted, identity)), None)

        return find


def _several(listen: str | tuple[str, ...]) -> tuple[str, ...]:
    return (listen,) if isinstance(listen, str) else listen


def _fits(wanted: Any, value: Any) -> bool:
    """Whether a value has all that is wanted of it."""
    if isinstance(wanted, dict):
        return isinstance(value, Mapping) and all(
            key in value and _fits(inner, value[key]) for key, inner in wanted.items()
        )
    # True is not 1 in JSON.
    return bool(wanted == value) and isinstance(wanted, bool) == isinstance(value, bool)


def _refused(path: str, name: str, check: Callable[..., object]) -> Iterator[Problem]:
    """The problem that a check of an option raises, without its name at the beginning."""
    for problem in checked(f"{path}.{name}", check):
        yield replace(problem, message=problem.message.removeprefix(f"{name} "))


def _server(section: ServerConfig, path: str) -> Iterator[Problem]:
    if section.listen is not None:
        yield from _listen(section.listen, f"{path}.listen")
    for name in ("token_path", "socket_prefix"):
        yield from _refused(path, name, partial(url_path, name, getattr(section, name)))
    for name, policy in (
        ("allowed_origins", OriginPolicy),
        ("allowed_hosts", HostPolicy),
        ("trusted_proxies", TrustedProxies),
    ):
        yield from _refused(path, name, partial(policy, getattr(section, name)))
    yield from numbers(check_wait, section, path, "drain_delay", "drain")
    if isinstance(section.limits_for, tuple):
        for number, own in enumerate(section.limits_for):
            here = f"{path}.limits_for[{number}].limits"
            for limit, value in own.limits.items():
                if limit not in OF_ONE_PEER:
                    text = f"is not a limit of one peer, which are {', '.join(OF_ONE_PEER)}"
                    yield Problem(f"{here}.{limit}", text)
                    continue
                problem = _check_of(limit).problem(value)
                if problem is not None:
                    yield Problem(f"{here}.{limit}", problem)


def _listen(listen: str | tuple[str, ...], path: str) -> Iterator[Problem]:
    several = _several(listen)
    for number, description in enumerate(several):
        here = path if isinstance(listen, str) else f"{path}[{number}]"
        yield from checked(here, Listen.parse, description)
        if description in several[:number]:
            yield Problem(here, f"{description!r} is there twice")


def _check_of(limit: str) -> Any:
    default = getattr(LimitsConfig(), limit)
    return check_count if isinstance(default, int) else check_positive


def _limits(section: Any, path: str) -> Iterator[Problem]:
    for name in section.__struct_fields__:
        yield from numbers(_check_of(name), section, path, name)


def _sockjs(section: Any, path: str) -> Iterator[Problem]:
    for name in section.__struct_fields__:
        yield from _refused(path, name, partial(SockJSOptions, **{name: getattr(section, name)}))


def _tls(section: TLSConfig, path: str) -> Iterator[Problem]:
    yield from _listen(section.listen, f"{path}.listen")
    yield from checked(path, section.read)


def _redis(section: RedisConfig, path: str) -> Iterator[Problem]:
    yield from seconds(section, path, "timeout")
    if section.namespace is None and not section.shared_with_node:
        text = "needs a namespace (--namespace), or shared_with_node = true (--shared-with-node)"
        yield Problem(path, f"{text} where servers of node-token-sockjs take part")
    elif section.namespace is not None and section.shared_with_node:
        yield Problem(f"{path}.shared_with_node", "excludes a namespace")
    for name in ("url", "password", "sentinel_password"):
        secret = getattr(section, name)
        if isinstance(secret, Secret):
            found = list(checked(f"{path}.{name}", secret.reveal))
            yield from found
            if found:
                return
    try:
        section.store()
    except InvalidOption as problem:
        name, _, rest = str(problem).partition(" ")
        known = name in ("namespace", "timeout", "tls", "sentinel_password")
        if name.rstrip(":") in ("authorities", "certificate", "private_key", "server_name"):
            yield Problem(f"{path}.tls", str(problem))
        elif name != "timeout":  # which is known already
            yield Problem(f"{path}.{name if known else 'url'}", rest if known else str(problem))


def _admin(section: AdminConfig, path: str) -> Iterator[Problem]:
    yield from (found := list(_listen(section.listen, f"{path}.listen")))
    if section.key is not None:
        yield from checked(f"{path}.key", section.key.for_header)
    elif not found and not Listen.parse(section.listen).loopback:
        text = f"other machines reach {section.listen}: it needs a key, --admin-key-file FILE or"
        yield Problem(f"{path}.listen", f"{text} [admin] key = {{ file = ... }}")


SECTIONS: Sections = {
    "server": (ServerConfig, _server),
    "tls": (TLSConfig, _tls),
    "limits": (LimitsConfig, _limits),
    "sockjs": (SockJSConfig, _sockjs),
    "redis": (RedisConfig, _redis),
    "admin": (AdminConfig, _admin),
    "log": (LogConfig, no_problems),
}


def read_config(document: Document) -> ServeConfig:
    """
    Check what a file and a command line say.

    :raises ConfigError: with a line for each thing that is wrong.
    """
    sections, found = document.convert(SECTIONS)
    redis = sections.get("redis")
    url = None if redis is None else redis.url
    if isinstance(url, str) and RedisURL.parse(url).password is not None:
        if document.is_given("redis.url"):
            _log.warn(
                "--redis holds a password, which all of this machine can read: {way_out}",
                event="serve.password_shown",
                way_out=_WAY_OUT,
            )
        else:
            found.append(Problem("redis.url", f"holds a password: {_WAY_OUT}"))
    if not found:
        found = list(_together(ServeConfig(**sections)))
    if found:
        raise document.error(found)
    return ServeConfig(**sections)


def _together(config: ServeConfig) -> Iterator[Problem]:
    """What is wrong with sections that are good by themselves."""
    if config.server.authentication is None:
        for path, listen in (("server", config.listen()), ("tls", config.tls_listen())):
            for description in listen:
                if not Listen.parse(description).loopback:
                    yield Problem(f"{path}.listen", _NO_AUTHENTICATION.format(description))
                    return


_WAY_OUT = "write it as [redis] password = { file = ... }, or { env = ... }, of serve --config"

_NO_AUTHENTICATION = (
    "other machines can connect to {}, and without authentication everybody is let in as whoever"
    " they say they are. Add --authentication module:function, or --authentication demo if that is"
    " what you want"
)
