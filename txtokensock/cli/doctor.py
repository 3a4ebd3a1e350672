"""
``tokensock doctor``: goes the way to a server step by step, and says where it ends.
"""

from __future__ import annotations

import socket as sockets
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

import click
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from ..address import Address, ip_address_of
from ..client.socket import TokenSocket
from ..client.token_request import TokenRequest
from ..errors import RemoteError
from ..sockjs import DEFAULT_MAX_MESSAGE_SIZE, SockJSClientEndpoint
from ..sockjs.client.info import InfoRequest
from ..sockjs.client.session_target import SessionTarget
from ..sockjs.transport_names import TRANSPORT_NAMES
from ..web.client.http_context import HTTPContext
from ..web.client.names import tcp_endpoint
from ..web.tls.policy import explain
from .client_options import Settings, in_our_words
from .output import harmless, has_colours, print_json

__all__ = ["examine"]

_REMEDIES = {
    "dns": "Check the name in --host, and the resolver of this machine.",
    "proxy": "Check --proxy, or HTTPS_PROXY and HTTP_PROXY in the environment; --proxy none goes"
    " directly.",
    "tcp": "Check that the server runs and listens at that port, and that no firewall is between.",
    "tls": "Check the scheme and the port in --host, then --authorities and --server-name.",
    "token": "Check the path (--token-path), the credentials (--auth, --auth-file), and the"
    " server's log.",
    "info": "Check --socket-prefix, and that a proxy in front of the server passes it on.",
    "transport": "A proxy on the way may not let it through; it is no fault if another works.",
    "auth": "Check that one server, or one store, has the token route and SockJS.",
    "ping": "The server does not answer calls: see its log.",
    "subscribe": "The server's hook may refuse this channel: name another with --channel.",
}

_NOTHING: Any = Factory.forProtocol(Protocol)

Step = Callable[[], Coroutine[Any, Any, str]]


async def examine(settings: Settings, reactor: Any, channel: str) -> int:
    """
    Examine the way to each host, and print a line for each step.

    :param channel: what to subscribe to.
    :return: the exit status: 0 if a client can work with every host.
    """
    well = [await _Doctor(settings, host, reactor).examine(channel) for host in settings.hosts]
    return 0 if all(well) else 1


class _Doctor:
    def __init__(self, settings: Settings, host: str, reactor: Any) -> None:
        self._settings = settings
        self._reactor = reactor
        self._address = Address.parse(host)
        options = settings.options
        ways = {name: options[name] for name in ("tls", "proxy", "endpoint") if name in options}
        self._headers = options.get("headers", {})
        self._timeouts = options["timeouts"]
        self._context = HTTPContext(reactor, headers=self._headers, **ways)
        prefix = options.get("socket_prefix", "/sockets")
        self._sockjs = Address.parse(self._address.http_url(prefix))
        self._token_url = self._address.http_url(options.get("token_path", "/socket/token"))

    async def examine(self, channel: str) -> bool:
        """Whether a client can work with the server."""
        for name, step in self._way():
            if not await self._step(name, name, step):
                return False
        bought = await self._step("token", "token", self._token)
        await self._step("info", "info", self._info)
        wanted = self._settings.options.get("transports", TRANSPORT_NAMES)
        open_ = [
            name
            for name in wanted
            if await self._step(name, "transport", lambda name=name: self._transport(name))  # type: ignore[misc]
        ]
        if not bought or not open_:
            return False
        return await self._talk(open_[0], channel)

    def _way(self) -> list[tuple[str, Step]]:
        """The steps until bytes go to and fro."""
        address = self._address
        proxy = self._context.dialer.proxy(address.host, address.port, secure=address.secure)
        steps: list[tuple[str, Step]] = [("address", self._said)]
        if "endpoint" in self._settings.options:
            return [*steps, ("tcp", self._dial)]
        host, port = (proxy.host, proxy.port) if proxy else (address.host, address.port)
        if ip_address_of(host) is None:
            steps.append(("dns", lambda: self._resolve(host, port)))
        steps.append(("proxy" if proxy else "tcp", lambda: self._connect(host, port)))
        if proxy or address.secure:
            steps.append(("tls" if address.secure else "tcp", self._dial))
        return steps

    async def _step(self, name: str, kind: str, step: Step) -> bool:
        start = self._reactor.seconds()
        timeout = self._settings.timeout
        well = True
        try:
            running = Deferred.fromCoroutine(step())
            detail = await running.addTimeout(timeout, self._reactor)
        except CancelledError:
            raise
        except TimeoutError:
            well, detail = False, f"no answer within {timeout:g} seconds"
        except Exception as problem:  # of any step, and it is what people ask for
            well, detail = False, in_our_words(explain(problem))
        _report(name, well, self._reactor.seconds() - start, detail, _REMEDIES.get(kind, ""))
        return well

    async def _said(self) -> str:
        return str(self._address)

    async def _resolve(self, host: str, port: int) -> str:
        found = await deferToThread(sockets.getaddrinfo, host, port, type=sockets.SOCK_STREAM)
        return ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def _connect(self, host: str, port: int) -> str:
        protocol = await tcp_endpoint(self._reactor, host, port).connect(_NOTHING)
        return _hang_up(protocol)

    async def _dial(self) -> str:
        address = self._address
        dialer = self._context.dialer
        endpoint = dialer.endpoint(address.host, address.port, secure=address.secure)
        return _hang_up(await endpoint.connect(_NOTHING))

    async def _token(self) -> str:
        request = TokenRequest(self._context, self._token_url, self._settings.credentials)
        await request.send(self._headers)
        return self._token_url

    async def _info(self) -> str:
        target = SessionTarget(
            self._context, self._sockjs, self._headers, DEFAULT_MAX_MESSAGE_SIZE, self._timeouts
        )
        request = InfoRequest(target)
        try:
            offered = await request.answered
        finally:
            request.drop()
        return f"{target.url('/info')}, WebSocket {'offered' if offered else 'not offered'}"

    async def _transport(self, name: str) -> str:
        endpoint = SockJSClientEndpoint(
            self._reactor,
            str(self._sockjs),
            http_context=self._context,
            transports=[name],  # type: ignore[list-item]
            timeouts=self._timeouts,
        )
        _hang_up(await endpoint.connect(_NOTHING))
        return str(self._sockjs)

    async def _talk(self, transport: str, channel: str) -> bool:
        """Whether a client can authenticate, call and subscribe."""
        socket = TokenSocket(
            str(self._address),
            authentication=self._settings.credentials,
            reconnect=False,
            call_timeout=self._settings.timeout,
            reactor=self._reactor,
            **{**self._settings.options, "transports": [transport]},
        )

        async def authenticate() -> str:
            socket.startService()
            await socket.when_ready()
            return f"over {transport}"

        async def ping() -> str:
            with suppress(RemoteError):  # "Function not found" is an answer as well
                await socket.rpc("_ping", {})
            return "answered"

        async def subscribe() -> str:
            await socket.subscribe(channel, lambda message: None)
            return channel

        try:
            return (
                await self._step("auth", "auth", authenticate)
                and await self._step("ping", "ping", ping)
                and await self._step("subscribe", "subscribe", subscribe)
            )
        finally:
            await socket.end()


def _hang_up(protocol: Any) -> str:
    peer = protocol.transport.getPeer()
    protocol.transport.loseConnection()
    host, port = getattr(peer, "host", ""), getattr(peer, "port", "")
    return f"{host} port {port}" if port else str(peer)


def _report(step: str, well: bool, seconds: float, detail: str, remedy: str) -> None:
    if sys.stdout is None or not sys.stdout.isatty():
        report = {"step": step, "ok": well, "seconds": round(seconds, 6), "detail": detail}
        print_json(report if well else {**report, "remedy": remedy})
        return
    mark = "ok  " if well else "FAIL"
    if has_colours():
        mark = click.style(mark, fg="green" if well else "red", bold=not well)
    text = f"{mark} {step:<14}{seconds * 1000:9.1f} ms  {_wrapped(harmless(detail), 33)}\n"
    if not well and remedy:
        text += f"     {_wrapped(remedy, 5)}\n"
    sys.stdout.write(text)
    sys.stdout.flush()


def _wrapped(text: str, column: int) -> str:
    """A text that begins in this column of the terminal, and goes on below it; URLs stay whole."""
    width = max(get_terminal_size().columns - column, 20)
    lines = wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * column}".join(lines)
