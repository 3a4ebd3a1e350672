"""
The token-sockjs server as a service.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from ..actions import Actions, check_actions
from ..address import url_path
from ..errors import InvalidOption, StoreUnavailable
from ..jsontext import dumps
from ..messages import check_channel
from ..messages.from_server import encode_subscribed, encode_unsubscribed
from ..sockjs.server.options import SockJSOptions
from ..sockjs.server.resource import SockJSResource
from ..support.checks import (
    check_callable,
    check_choice,
    check_flag,
    check_instance,
    check_plain_function,
    check_wait,
)
from ..support.slices import Slices
from ..support.steady_clock import keep_steady
from ..web.server.hosts import HostPolicy
from ..web.server.origins import AllowedOrigins, OriginPolicy
from ..web.server.site import BoundedSite
from ..web.server.site_limits import SiteLimits
from ..web.server.trusted_proxies import TrustedProxies
from .close_codes import CLOSED_BY_APPLICATION
from .hooks import Event, Hook, Hooks
from .hub import Filter, Hub
from .identities import ClosedPeers, PeerAnswers, close_identity, rpc_identity
from .limits import Limits, LimitsFor
from .membership import Membership
from .mount import AnyResource, Mounts, SockJSRoute
from .ops.observer import Observer
from .ops.readiness import Readiness, readiness
from .peer import Peer
from .peer_protocol import PeerProtocol
from .presence import LEASE, Presence, check_limit
from .running_server import RunningServer
from .server_context import ServerContext
from .store.interface import AnyStore, IStore
from .store.memory import MemoryStore
from .token_route import Authenticate, TokenRoute

__all__ = ["TokenSocketServer"]


class TokenSocketServer(Service):
    """
    A server for token-sockjs clients.  It is a service, not a resource: :meth:`site` makes a site
    of it, and :meth:`resource` what any other site of twisted.web or Klein can mount::

        server = TokenSocketServer(authenticate, actions={"echo": lambda data, peer: data})
        server.setServiceParent(application)
        site = server.site()
        StreamServerEndpointService(endpoint, site).setServiceParent(application)

    It serves clients while the service runs, and answers requests 503 until it is started.

    :param authentication: see :data:`~txtokensock.server.token_route.Authenticate`;
        :func:`txtokensock.server.query` reads the credentials out of the request.
    :param actions: what clients may call, as in
        ``{"echo": echo, "user": {"read": read}}``.  Each is a function, one that returns a
        Deferred or a coroutine function, called with the call's data and the
        :class:`Peer`.  Its result, any JSON, is the answer; so is the
        :class:`~txtokensock.errors.ActionError` that it raises; of any other exception the
        client gets ``Internal error`` and a reference to the log.  It is cancelled when its
        peer goes and when ``Limits.call_timeout`` is over.  The mapping is looked into at
        each call, so it may change.
    :param store: what several servers share; by default a :class:`MemoryStore` of its own.
    :param token_path: path of the token route.
    :param socket_prefix: path of the SockJS server.
    :param ping: whether ``_ping`` is an action, which clients use as a heartbeat.
    :param filter: see :data:`~txtokensock.server.hub.Filter`.
    :param acks: whether to answer subscribe, unsubscribe, publish and broadcast, in a way
        that all JavaScript clients take; without, all messages are those of
        node-token-sockjs 3.1.0.
    :param allowed_origins: see :data:`~txtokensock.web.server.origins.AllowedOrigins`.
    :param allowed_hosts: hosts besides the loopback names that requests to a loopback address
        may be for, such as that of a proxy on this machine; others get 421.
    :param trusted_proxies: networks of the proxies that may say who the client is, such as
        ``["10.0.0.0/8"]``, see :class:`~txtokensock.web.server.trusted_proxies.TrustedProxies`.
    :param jsonp: whether the token route answers ``?callback=f`` with a script to pages of any
        origin, where ``allowed_origins`` is ``"*"``.  Pages that prove to be of the server's
        own or a listed origin always get one: the JavaScript clients ask so.
    :param expose_errors: whether clients get the texts of unexpected exceptions of actions
        and hooks, instead of a reference to the log.
    :param limits: see :class:`Limits`.
    :param limits_for: gives single peers other limits, such as a bridge with many callers: see
        :data:`~txtokensock.server.limits.LimitsFor`.
    :param drain_delay: seconds from the stop for which everything is still served, and
        :attr:`readiness` says already that the server stops: as long as whoever sends clients
        here, such as a load balancer, takes to notice.
    :param drain: seconds over which all peers are then closed, evenly, so that they do not come
        back all at once; nobody new is taken meanwhile.  See :meth:`drain`.
    :param sockjs: some of :class:`~txtokensock.sockjs.SockJSOptions`, by name, such as
        ``{"websocket": False, "heartbeat": 10.0}``; they go before ``limits``.
    :param observer: is told what happens, see :class:`Observer`.
    :param reactor: for everything; the global one by default.
    :ivar trusted_proxies: the proxies, for other sites of the application.
    :raises InvalidOption: for an option that is not valid.
    """

    def __init__(
        self,
        authentication: Authenticate,
        *,
        actions: Actions | None = None,
        store: AnyStore | None = None,
        token_path: str = "/socket/token",
        socket_prefix: str = "/sockets",
        ping: bool = True,
        filter: Filter | None = None,
        acks: bool = True,
        allowed_origins: AllowedOrigins = None,
        allowed_hosts: Collection[str] = (),
        trusted_proxies: Collection[str] = (),
        jsonp: bool = False,
        expose_errors: bool = False,
        limits: Limits | None = None,
        limits_for: LimitsFor | None = None,
        drain_delay: float = 0.0,
        drain: float = 0.0,
        sockjs: Mapping[str, Any] | None = None,
        observer: Observer | None = None,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        check_callable("authentication", authentication, "request")
        check_callable.optional("filter", filter, "peer", "channel", "message")
        actions = {} if actions is None else actions
        check_actions(actions, ("data", "peer"))
        self._store = _checked_store(store)
        slices = Slices(reactor)
        observer = check_instance("observer", observer or Observer(), Observer)
        limits = _checked_limits(limits)
        hooks = Hooks(reactor, limits.hook_timeout, expose_errors=expose_errors)
        membership = Membership(hooks, slices)
        self._hub = Hub(filter, slices, limits.undelivered, observer, membership)
        self._context = ServerContext(
            reactor=reactor,
            limits=limits,
            limits_for=None,
            actions=actions,
            own_actions={"_ping": _ping} if check_flag("ping", ping) else {},
            hooks=hooks,
            hub=self._hub,
            acks=check_flag("acks", acks),
            slices=slices,
            observer=observer,
            expose_errors=check_flag("expose_errors", expose_errors),
        )
        self._context.peers.since = reactor.seconds()
        self._token_route = TokenRoute(authentication, self._context, check_flag("jsonp", jsonp))
        self._routes = [
            (url_path("token_path", token_path), self._token_route),
            (url_path("socket_prefix", socket_prefix), SockJSRoute(self._sockjs_now)),
        ]
        self._sites: WeakSet[BoundedSite] = WeakSet()
        self._running_server: RunningServer | None = None
        self.reconfigure(
            allowed_origins=allowed_origins,
            allowed_hosts=allowed_hosts,
            trusted_proxies=trusted_proxies,
            limits=limits,
            limits_for=limits_for,
            drain_delay=drain_delay,
            drain=drain,
            sockjs=sockjs,
        )

    def reconfigure(
        self,
        *,
        allowed_origins: AllowedOrigins = None,
        allowed_hosts: Collection[str] = (),
        trusted_proxies: Collection[str] = (),
        limits: Limits | None = None,
        limits_for: LimitsFor | None = None,
        drain_delay: float = 0.0,
        drain: float = 0.0,
        sockjs: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Take other options while the server runs: all of these, and what is left out is its
        default.  They hold for requests and peers from now on; peers that there are keep the
        limits that they have.

        :raises InvalidOption: for an option that is not valid; then nothing has changed.
        """
        limits = _checked_limits(limits)
        check_plain_function.optional("limits_for", limits_for, "identity")
        check_wait("drain_delay", drain_delay)
        check_wait("drain", drain)
        proxies, origins = TrustedProxies(trusted_proxies), OriginPolicy(allowed_origins)
        hosts = HostPolicy(allowed_hosts, origins)
        self._sockjs_options = _sockjs_options(
            limits,
            {
                "allowed_origins": allowed_origins,
                "allowed_hosts": allowed_hosts,
                "trusted_proxies": trusted_proxies,
                **(sockjs or {}),
            },
        )
        self.trusted_proxies = proxies
        self._context.limits, self._context.limits_for = limits, limits_for
        self._context.drain_delay, self._context.drain = drain_delay, drain
        self._context.hooks.timeout = limits.hook_timeout
        self._hub.fan_out.most = limits.undelivered
        self._token_route.admit(origins, hosts, proxies)
        for site in self._sites:
            site.limits, site.trusted_proxies = _site_limits(limits), proxies
        if (running := self._running_server) is not None:
            running.sockjs.reconfigure(self._sockjs_options)

    if TYPE_CHECKING:  # inherited, and without types there

        def setServiceParent(self, parent: Any) -> None: ...

    def __repr__(self) -> str:
        state = "running" if self.running else "stopped"
        return f"<TokenSocketServer {state} {len(self._context.peers)} peers>"

    def resource(self, rest: AnyResource | None = None) -> IResource:
        """
        The token route and the SockJS server, for a site.  It may be asked for before the
        service starts, and mounted in several places.

        :param rest: what answers all other paths; by default, 404.
        """
        return Mounts(self._routes, rest)

    def site(self, rest: AnyResource | None = None) -> BoundedSite:
        """
        A site with :meth:`resource`, for a server that strangers can reach: it takes no
        body larger than ``Limits.frame_size``, no request while its responses are not read,
        and nobody who holds connections that bring nothing, none of which twisted.web's own
        sees to.
        """
        site = BoundedSite(
            self.resource(rest),
            _site_limits(self._context.limits),
            trusted_proxies=self.trusted_proxies,
            on_refusal=self._context.observer.connection_refused,
            reactor=self._context.reactor,
        )
        self._sites.add(site)
        return site

    # -- hooks

    def on(self, event: Event, hook: Hook) -> None:
        """
        Ask ``hook`` before something is done.  It is called with the peer, and

        ==================  ==================================================
        authentication      what ``authentication`` returned; ``peer.auth`` is
                            set when all hooks have agreed
        subscribe           the channel
        unsubscribe         the channel
        publish             the channel, the data
        broadcast           the data
        ==================  ==================================================

        It may return a Deferred or be a coroutine function, for at most
        ``Limits.hook_timeout`` seconds.  False refuses with "Forbidden", an
        :class:`~txtokensock.errors.ActionError` with its error, any other exception is
        logged and refuses with a reference to the log; everything else, None too, agrees.  Several
        hooks are asked in order until one refuses.  Nobody is asked about what the server
        does by itself.

        A number that ``subscribe`` returns is seconds, 1 at least, after which it is asked
        again; when it refuses then, the peer is unsubscribed and told so.

        Two events are told after they happened on this server, in order, whoever caused them:
        ``join``, with the peer and the channel, when a peer was subscribed that was not, and
        ``leave`` when it is no more, at its end as well.  What these return does not matter; what
        they raise is logged.

        :raises InvalidOption: for an unknown event or what cannot be called.
        """
        self._context.hooks.add(event, hook)

    def remove_hook(self, event: Event, hook: Hook) -> None:
        """Ask ``hook`` no more; nothing happens if it was not asked."""
        self._context.hooks.remove(event, hook)

    # -- peers

    def peers(self) -> list[Peer]:
        """The authenticated peers of this server, oldest first."""
        return [peer for peer in self._context.peers.all() if peer.authenticated]

    def channels(self) -> list[str]:
        """The channels that a peer of this server is subscribed to."""
        return self._hub.channels()

    def channel_peers(self, channel: str) -> list[Peer]:
        """The peers of this server that are subscribed to a channel."""
        return self._hub.peers_of(channel)

    def rpc(
        self, peer: Peer, name: str, data: Any = None, *, timeout: float | None = None
    ) -> Deferred[Any]:
        """Call an action of a client, see :meth:`Peer.rpc`."""
        return peer.rpc(name, data, timeout=timeout)

    @property
    def readiness(self) -> Readiness:
        """Whether clients can come in, and if not, why and since when."""
        return readiness(self._context)

    def close_identity(
        self,
        match: Mapping[str, Any],
        reason: str = CLOSED_BY_APPLICATION.reason,
        *,
        code: int = CLOSED_BY_APPLICATION.code,
    ) -> Deferred[ClosedPeers]:
        """
        Close all peers of an identity, on all servers that share the store; what was sent to
        them before goes out first.  They may come back: refuse them before that, in
        ``authentication``, and in a hook of that name, for they may have a token already.

        :param match: what their ``auth`` has to have, such as ``{"user": "ada"}``; see
            :func:`~txtokensock.server.identities.matches`.  ``{}`` is everybody.
        :param reason: see :meth:`Peer.close`.
        :param code: likewise.
        :return: fires with :class:`~txtokensock.server.ClosedPeers` as soon as all servers have
            answered: one that does not is waited for 5 seconds.  A server that has itself lost
            the store hears nothing of it, and is not counted.  Fails with
            :class:`~txtokensock.errors.InvalidOption` and
            :class:`~txtokensock.errors.InvalidData`; with
            :class:`~txtokensock.errors.UsageError` where the store is a :class:`RedisStore`
            without a namespace, in which any client could do the same; and as :meth:`publish`
            with :class:`~txtokensock.errors.StoreUnavailable`, after which peers may or may not
            have been closed.  Cancelling it ends the wait alone.
        """
        closing = close_identity(self._hub.ask_servers, match, code, reason)
        return Deferred.fromCoroutine(closing)

    def rpc_identity(
        self,
        match: Mapping[str, Any],
        name: str,
        data: Any = None,
        *,
        timeout: float | None = None,
    ) -> Deferred[PeerAnswers]:
        """
        Call an action of all clients of an identity, on all servers that share the store.

        :param match: as for :meth:`close_identity`.
        :param name: of the action, nested with dots.
        :param data: any JSON.
        :param timeout: seconds that each client has; by default
            ``Limits.call_timeout``.
        :return: fires with :class:`~txtokensock.server.PeerAnswers` when all clients have
            answered or had their time, 5 seconds after that at the latest; that a call failed
            is in there.  Fails as that of :meth:`close_identity`, and cancelling it drops the
            answers.
        """
        timeout = self._context.limits.call_timeout if timeout is None else timeout
        calling = rpc_identity(self._hub.ask_servers, match, name, data, timeout)
        return Deferred.fromCoroutine(calling)

    # -- channels

    def subscribe(self, peer: Peer, channel: str) -> Deferred[None]:
        """
        Subscribe a peer, which is told so; nothing happens if it is gone.

        :return: fires with None when it hears what any server publishes from now on.
            Fails with :class:`~txtokensock.errors.InvalidChannel`, and with
            :class:`~txtokensock.errors.StoreUnavailable` where the store refuses it.
        """
        return Deferred.fromCoroutine(self._subscribe(peer, channel))

    async def _subscribe(self, peer: Peer, channel: str) -> None:
        await self._hub.subscribe(peer, check_channel(channel))
        self._hub.tell(peer, encode_subscribed(channel))

    def unsubscribe(self, peer: Peer, channel: str) -> None:
        """
        Unsubscribe a peer, which is told so; nothing happens if it is not subscribed.
        """
        if channel in peer.channels:
            self._hub.unsubscribe(peer, channel)
            self._hub.tell(peer, encode_unsubscribed(channel))

    def unsubscribe_all(self, channel: str) -> Deferred[None]:
        """
        Unsubscribe all peers of all servers that share the store from a channel.

        :return: fires with None when the store has it, and what waits for the channel on this
            server has been sent to its peers.  Fails with
            :class:`~txtokensock.errors.InvalidChannel`, or with
            :class:`~txtokensock.errors.StoreUnavailable` if the store cannot be reached
            or this server does not run.
        """
        return self._delivered_after(
            lambda: self._hub.unsubscribe_everywhere(check_channel(channel)), channel
        )

    def publish(self, channel: str, data: Any) -> Deferred[None]:
        """
        Send data to all peers, of all servers that share the store, on a channel.

        :param data: any JSON.
        :return: as :meth:`unsubscribe_all`; also fails with
            :class:`~txtokensock.errors.InvalidData`.
        """
        return self._delivered_after(
            lambda: self._hub.publish(check_channel(channel), dumps(data)), channel
        )

    def broadcast(self, data: Any) -> Deferred[None]:
        """
        Send data to all peers, of all servers that share the store, once on each channel
        that they are subscribed to: peers without a channel get nothing (so it is in
        node-token-sockjs).

        :param data: any JSON.
        :return: as :meth:`publish`.
        """
        return self._delivered_after(lambda: self._hub.broadcast(dumps(data)), None)

    def _delivered_after(
        self, store: Callable[[], Deferred[None]], channel: str | None
    ) -> Deferred[None]:
        """
        Have the store do something, then wait until what waits for a channel, or None for all,
        has been delivered.
        """
        try:
            stored = store()
        except Exception:
            return fail()
        return stored.addCallback(lambda _: self._hub.delivered(channel))

    def presence(self, channel: str, *, limit: int = 100) -> Deferred[Presence]:
        """
        Ask all servers that share the store who is subscribed to a channel, and how many.  It
        costs a message for each server, and nothing while nobody asks.

        :param limit: identities that are wanted, at most 10,000; the count is always that of
            all.
        :return: fires with a :class:`~txtokensock.server.Presence` as soon as all servers have
            answered: a killed one is not waited for, and one that hangs for 5 seconds at most.
            Fails with :class:`~txtokensock.errors.InvalidChannel` and
            :class:`~txtokensock.errors.InvalidOption`;
            :class:`~txtokensock.errors.UsageError` where the store is a :class:`RedisStore`
            without a namespace, as any of its clients could answer for a server;
            :class:`~txtokensock.errors.StoreUnavailable` as :meth:`publish`, and if nobody has
            answered within ``Presence.lease``.  Cancelling it drops the answers.
        """
        asked = Deferred.fromCoroutine(self._presence(channel, limit))

        def too_late(*_: object) -> Failure:
            return Failure(StoreUnavailable("the store did not pass the question on in time"))

        return asked.addTimeout(LEASE, self._context.reactor, too_late)

    async def _presence(self, channel: str, limit: int) -> Presence:
        return await self._hub.presence(check_channel(channel), check_limit("limit", limit))

    # -- IService

    def startService(self) -> None:
        """Connect to the store, and take peers; after an unfinished stop, as soon as that is."""
        if not self.running:
            super().startService()  # type: ignore[no-untyped-call]
            if self._running_server is None:
                self._start()

    def _start(self) -> None:
        keep_steady(self._context.reactor)
        self._running_server = RunningServer(self._context, self._store, self._new_sockjs())

    def stopService(self) -> Deferred[None]:
        """
        Take no more peers and requests, answer those in flight, and close every peer with
        4503, as :meth:`drain` does, unless that was done.

        :return: fires with None when no peer, timer or connection is left.  Never fails.
        """
        was_running = self.running
        super().stopService()  # type: ignore[no-untyped-call]
        running = self._running_server
        if running is None:
            return succeed(None)
        if was_running and not running.stopping:
            running.stop().addCallback(self._stopped)
        return running.stop()

    def drain(self) -> Deferred[None]:
        """
        Begin to stop, while what listens for clients goes on: polling clients come for their
        answers on new connections.  :meth:`stopService` does the same, and the rest.

        :attr:`readiness` says at once that the server stops.  After ``drain_delay`` no token is
        given and no session taken any more, and the peers are closed with 4503, one after the
        other over ``drain`` seconds.  A peer's requests in flight are answered before; what it
        asks for after its turn has come is refused, in a way that a
        :class:`~txtokensock.TokenSocket` sends it again on its next connection, where it may.

        :return: fires with None when no peer is left, or after ``drain_delay``, ``drain`` and
            ``Limits.shutdown_timeout``.  It never fails; cancelling it only ends the wait.
        """
        running = self._running_server
        return succeed(None) if running is None else running.drain()

    def hurry(self) -> None:
        """
        End a :meth:`drain`, or a stop, now: close every peer, and give up what is in flight.
        Nothing happens while the server does not stop.
        """
        running = self._running_server
        if running is not None and not self._context.peers.ready:
            running.hurry()

    def _stopped(self, _: None) -> None:
        self._running_server = None
        if self.running:
            self._start()

    def _new_sockjs(self) -> SockJSResource:
        factory = _PeerFactory(self._context)
        return SockJSResource(
            factory,
            self._sockjs_options,
            reactor=self._context.reactor,
            on_refusal=self._session_refused,
        )

    def _session_refused(self) -> None:
        context = self._context
        context.refusals.exceeded("peers_per_address", context.limits, "sessions")
        context.observer.connection_refused("peers_per_address")

    def _sockjs_now(self) -> SockJSResource | None:
        if self._running_server is None:
            self._context.refusals.not_running()
            return None
        return self._running_server.sockjs


class _PeerFactory(Factory):
    """Makes a peer of every SockJS session."""

    noisy = False

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    def buildProtocol(self, addr: IAddress | None) -> PeerProtocol:
        assert addr is not None  # SockJS tells it
        return PeerProtocol(self._context, addr)


def _site_limits(limits: Limits) -> SiteLimits:
    return SiteLimits(
        max_body=limits.frame_size,
        connections_per_address=limits.connections_per_address,
        head_timeout=limits.head_timeout,
        body_timeout=limits.body_timeout,
        body_rate=limits.body_rate,
    )


def _sockjs_options(limits: Limits, chosen: Mapping[str, Any]) -> SockJSOptions:
    by_limits = SockJSOptions(
        max_message_size=limits.frame_size,
        max_array_length=limits.frame_messages,
        max_buffered=limits.buffered,
        max_buffered_total=max(limits.buffered_total, limits.buffered),
        # Those that are told that they are too many are there until they know.
        max_sessions_per_address=2 * limits.peers_per_address,
    )
    names = [field.name for field in fields(SockJSOptions)]
    for name in chosen:
        check_choice("a name in sockjs", name, names)
    return replace(by_limits, **chosen)


def _checked_limits(limits: Limits | None) -> Limits:
    return Limits() if limits is None else check_instance("limits", limits, Limits)


def _checked_store(store: AnyStore | None) -> IStore:
    if store is None:
        return MemoryStore()
    if not IStore.providedBy(store):
        raise InvalidOption("store must be a MemoryStore, a RedisStore or another IStore")
    return store


def _ping(data: Any, peer: Peer) -> Any:
    return {"message": "pong"}
