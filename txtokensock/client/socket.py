"""
The client, as applications hold it.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory

from ..actions import Action, Actions, check_actions, remove_action
from ..address import addresses, url_path
from ..errors import ClientClosed, InvalidOption, UsageError
from ..messages import check_channel
from ..messages.announced_limits import AnnouncedLimits
from ..messages.from_client import encode_broadcast, encode_call, encode_publish
from ..sockjs import DEFAULT_MAX_MESSAGE_SIZE, DEFAULT_TRANSPORTS, Transport
from ..support.backoff import Backoff, RetryPolicy
from ..support.checks import (
    check_callable,
    check_count,
    check_flag,
    check_instance,
    check_interval,
    check_plain_function,
    check_seconds,
)
from ..support.overflow import Overflow, check_overflow
from ..support.providers import AnyAgent, AnyClientEndpoint, AnyTLSPolicy
from ..support.steady_clock import keep_steady
from ..support.threads import check_thread, wrong_thread
from ..support.timeouts import Timeouts
from ..support.typed_data import reader_of
from ..web.client.http_context import HTTPContext
from ..web.client.proxies import ProxyOption
from ..web.client.request_headers import HeadersOption
from .connection import Connection
from .core import ClientCore
from .endpoint import TokenSocketEndpoint
from .events import Event, Listener
from .failover import FailoverEndpoint
from .keepalive import KeepAlive
from .request import Completion, Request
from .retries import subscription_retry
from .service import ReconnectingClientService
from .subscription import Subscription, TypedSubscription
from .token_request import Authentication, TokenRequest

__all__ = ["TokenSocket"]

T = TypeVar("T")


class TokenSocket(Service):
    """
    A client of a token-sockjs server: calls and is called, publishes and subscribes, and
    comes back by itself.

    It is a Twisted service: ``setServiceParent`` or ``startService`` connects it.  What
    is asked for before, or while the connection is gone, waits.  In a coroutine, ``async with``
    starts it, waits for the server, and ends it::

        async with TokenSocket("https://example.com") as client:
            print(await client.rpc("echo", "hello"))

    Every request returns a Deferred that fires exactly once, at the latest after
    ``call_timeout``; it can be awaited, and cancelling it withdraws the request.  Asked for in
    another thread than the reactor's, it fails at once with a
    :class:`~txtokensock.errors.UsageError`: use ``reactor.callFromThread``.

    :param host: a URL or ``host[:port]``; ``http``, ``https``, ``ws`` or ``wss``, IPv6 in
        brackets, a path prefix where the server is mounted below one.  A list of several
        that are equally good: where one cannot be connected to, or is lost, the next is
        tried.
    :param port: instead of one in ``host``; of several, for those that name none.
    :param shuffle: whether to try several hosts in random order, which this client then
        keeps, and not as they are listed.
    :param actions: functions that the server may call, by name; mappings nest.
    :param expose_errors: whether the server gets the texts of unexpected exceptions of
        actions, instead of a reference to the log.
    :param authentication: the query of the token request: a mapping of text, numbers,
        booleans, lists and mappings, or a function that gives one (or a Deferred or
        coroutine of one), asked before every attempt.
    :param token_path: the token route, below ``host``.
    :param socket_prefix: SockJS, below ``host``.
    :param reconnect: False for one connection only: a failed attempt or a loss ends the
        client.
    :param ping: seconds between automatic ``_ping`` calls, or None for none.  (The
        JavaScript option counts milliseconds.)
    :param ping_timeout: seconds for the answer to a ping, after which the server is taken
        for dead and another connection is made.
    :param silence_timeout: seconds without any sign of the server after which it is
        pinged, also without ``ping``; None for never.
    :param transports: what carries the socket, tried in this order: ``"websocket"``,
        ``"xhr-streaming"``, ``"eventsource"``, ``"xhr-polling"``, and ``"websocket-raw"``,
        which has no SockJS frames.  What worked goes first for ten minutes.
    :param info: whether to ask the server's ``/info`` before each attempt, and to try no
        WebSocket where that says so.
    :param headers: sent with the token request and with every request of the socket: a
        mapping, or a function that gives one (or a Deferred or coroutine of one), asked
        before every attempt.
    :param call_timeout: seconds for each request, time in the queue included.
    :param queue_limit: messages that may wait for the connection.
    :param queue_bytes: bytes of messages that may: when so many wait, no more are taken.
        Idempotent calls count until they are answered.
    :param buffer_limit: messages that may wait for the handler or the iteration of a
        subscription, and calls that may run, of a handler or of the ``message`` listeners;
        see :meth:`subscribe` and :meth:`on`.
    :param backoff: how long to wait between attempts, and when to give up.
    :param retry_policy: how long to wait, instead of :meth:`Backoff.retry
        <txtokensock.Backoff.retry>`: a function of the failure (of an attempt, or the loss of
        a connection) and of the number of the retry, 1 for the first since things were well;
        it gives seconds, or None to give up.  One that raises waits ``backoff.cap``.
    :param timeouts: the deadlines of connecting and closing.
    :param max_message_size: bytes; a larger message from the server ends the connection.
    :param tls: a :class:`~txtokensock.TLSPolicy`; by default the platform's authorities and the
        host's name.
    :param proxy: the URL of a proxy for everything, such as
        ``"http://user:password@proxy.example:3128"``; True for that of the environment
        (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``), False for none.
    :param endpoint: connects instead of TCP (and TLS) to ``host``, which still names the
        server to itself: an endpoint, or the text of one such as ``"unix:/run/app.sock"``.
    :param agent: sends the token request instead of Twisted's ``Agent``.
    :param reactor: the reactor; by default the global one.
    :raises InvalidOption: for an option that cannot be.
    """

    def __init__(
        self,
        host: str | Sequence[str] = "127.0.0.1:8080",
        *,
        port: int | None = None,
        shuffle: bool = False,
        actions: Actions | None = None,
        authentication: Authentication | None = None,
        token_path: str = "/socket/token",
        socket_prefix: str = "/sockets",
        reconnect: bool = True,
        ping: float | None = None,
        ping_timeout: float = 10.0,
        silence_timeout: float | None = 60.0,
        transports: Sequence[Transport] = DEFAULT_TRANSPORTS,
        info: bool = False,
        headers: HeadersOption | None = None,
        call_timeout: float = 60.0,
        queue_limit: int = 10_000,
        queue_bytes: int = 64 * 1024 * 1024,
        buffer_limit: int = 1000,
        backoff: Backoff | None = None,
        retry_policy: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        expose_errors: bool = False,
        tls: AnyTLSPolicy | None = None,
        proxy: ProxyOption = True,
        endpoint: AnyClientEndpoint | str | None = None,
        agent: AnyAgent | None = None,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        check_actions(actions or {}, ("data",))
        self._timeout = check_seconds("call_timeout", call_timeout)
        self._buffer_limit = check_count("buffer_limit", buffer_limit)
        servers = addresses(host, port)
        if check_flag("shuffle", shuffle):
            random.shuffle(servers)
        if endpoint is not None and len(servers) > 1:
            raise InvalidOption("endpoint connects to one server, and host names several")
        timeouts = check_instance("timeouts", timeouts or Timeouts(), Timeouts)
        check_flag("reconnect", reconnect)
        check_plain_function.optional("retry_policy", retry_policy, "failure", "number")
        http_context = HTTPContext(
            reactor, headers=headers, tls=tls, proxy=proxy, endpoint=endpoint
        )
        token_path = url_path("token_path", token_path)
        server = partial(
            TokenSocketEndpoint,
            http_context,
            socket_prefix=url_path("socket_prefix", socket_prefix),
            timeouts=timeouts,
            transports=transports,
            info=check_flag("info", info),
            max_message_size=check_count("max_message_size", max_message_size),
        )
        backoff = check_instance("backoff", backoff or Backoff(), Backoff)
        self._subscription_retry = subscription_retry(backoff)
        self._servers = FailoverEndpoint(
            reactor,
            {
                str(address): server(
                    address,
                    TokenRequest(
                        http_context,
                        address.http_url(token_path),
                        authentication or {},
                        agent=agent,
                    ),
                )
                for address in servers
            },
            hold=backoff.hold if retry_policy is None else None,
        )
        self._core = ClientCore(
            reactor,
            actions or {},
            queue_limit=check_count("queue_limit", queue_limit),
            queue_bytes=check_count("queue_bytes", queue_bytes),
            call_timeout=call_timeout,
            buffer_limit=buffer_limit,
            expose_errors=check_flag("expose_errors", expose_errors),
        )
        self._reactor = reactor
        self._idle = True  # nobody has started it, or has been warned of that
        self._core.when_given_up = super().stopService
        self._service = ReconnectingClientService(
            reactor,
            self._servers,
            Factory.forProtocol(
                lambda: Connection(self._core, keep_alive, reactor)  # type: ignore[arg-type]
            ),
            backoff,
            retry_policy=retry_policy,
            reconnect=reconnect,
            observer=self._core,
        )
        interval = check_interval.optional("ping", ping)
        silence = check_interval.optional("silence_timeout", silence_timeout)
        check_interval("ping_timeout", ping_timeout)

        def keep_alive(connection: Connection) -> KeepAlive:
            return KeepAlive(
                reactor, connection, interval=interval, silence=silence, timeout=ping_timeout
            )

    if TYPE_CHECKING:  # inherited, and without types there

        def setServiceParent(self, parent: Any) -> None: ...

    def __repr__(self) -> str:
        return f"<TokenSocket to {', '.join(self._servers.names)}>"

    # -- the service

    def startService(self) -> None:
        """
        Connect, and stay connected.  A client that was stopped, or that gave up, can be
        started again.

        :raises UsageError: in another thread than the reactor's.
        """
        check_thread()
        super().startService()  # type: ignore[no-untyped-call]
        self._idle = False
        if not self._service.running:
            keep_steady(self._reactor)
            self._core.open()
            self._servers.start_over()
            self._service.startService()

    def stopService(self) -> Deferred[None]:
        """
        Close the connection, or stop trying to make one.  What waits for an answer fails
        with :class:`~txtokensock.errors.ConnectionLost`, what waits to be sent and all
        later calls with :class:`~txtokensock.errors.ClientClosed`.

        Valid in every state, and as often as wanted.

        :return: fires when no connection and no timer is left, at the latest after
            ``timeouts.close``.  It fails only in another thread than the reactor's, with
            :class:`~txtokensock.errors.UsageError`.
        """
        elsewhere = wrong_thread()
        if elsewhere is not None:
            return fail(elsewhere)
        super().stopService()  # type: ignore[no-untyped-call]
        fail_what_waits = self._core.close(ClientClosed("the client was stopped"))
        stopped = self._service.stopService()
        fail_what_waits()
        return stopped

    end = stopService

    async def __aenter__(self) -> Self:
        """
        Start, and wait for the server.

        :raises ConnectionFailed: if the first attempt fails; of several hosts, if all have.
            The client has been stopped then, as it has if this is cancelled.
        :raises UsageError: if it was started already: then something else will end it.
        """
        if self.running:
            raise UsageError("the client was started already, and 'async with' would end it")
        self.startService()
        ready = self.when_ready(fail_after=1)
        try:
            await ready
        except BaseException as problem:
            ready.addErrback(lambda _: None)  # nobody waits for it any more
            await self.__aexit__(type(problem))
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the client, see :meth:`stopService`."""
        stopped = self.stopService()
        if kind is not GeneratorExit:  # in which nothing can be awaited
            await stopped

    def _warn(self, stacklevel: int) -> None:
        """Say, once, that nobody has started this client, to whoever asks something of it."""
        if self.parent is None:
            self._idle = False
            warnings.warn(
                f"{self!r} was not started, and what is asked of it waits: call startService() or"
                " setServiceParent(), or use it in 'async with'",
                RuntimeWarning,
                stacklevel=stacklevel,
            )

    def when_ready(self, fail_after: int | None = None) -> Deferred[None]:
        """
        Wait for the server.

        :param fail_after: fail with the error of that many-th failed attempt from now
            on, such as 1 to fail fast; None waits on.
        :return: fires with None once there is an authenticated connection, at once where
            there is.  Fails with a :class:`~txtokensock.errors.ConnectionFailed` after
            ``fail_after`` failures, or where the client gives up, and with
            :class:`~txtokensock.errors.ClientClosed` where it is stopped; at once with
            :class:`~txtokensock.errors.InvalidOption` for a ``fail_after`` that is no
            number above 0.  This alone has no deadline: cancel it to wait no longer.
        """
        elsewhere = wrong_thread()
        return self._service.when_ready(fail_after) if elsewhere is None else fail(elsewhere)

    def reconnect_now(self) -> bool:
        """
        Connect anew without waiting, for whoever knows more of the network than the client:
        it is back after a sleep, or another one since a VPN went up.

        A connection is dropped, as nobody can tell whether it is still one; an attempt that
        is under way is made anew, and a wait between attempts ends.  Subscriptions and what
        waits in the queue go on; what is in flight ends as after every loss.  The waits between
        attempts start over, at most once in ``backoff.stable_after`` seconds.

        Call it as often as you like: there is at most one attempt a second by it, and an
        attempt that it began is left to its deadlines.

        :return: whether the client is running; one that was not started, was stopped or gave
            up is not started by this.  :meth:`when_ready` waits for the connection.
        :raises UsageError: in another thread than the reactor's.
        """
        check_thread()
        self._service.reconnect_now()
        return bool(self.running)

    @property
    def connected(self) -> bool:
        """
        Whether there is an authenticated connection now.  There is none from the first sign
        of a close on.
        """
        return self._connection is not None

    @property
    def _connection(self) -> Connection | None:
        """A connection whose end has begun is none, though the service still waits for that."""
        connection = self._service.connection
        return None if connection is None or connection.closing else connection

    @property
    def connected_to(self) -> str | None:
        """
        The URL of the server that there is an authenticated connection to now, as
        ``"http://a.example.com:8080"``; None where there is none.
        """
        return self._servers.current if self.connected else None

    @property
    def transport(self) -> Transport | None:
        """
        What carries the socket now, one of the names in ``transports``; None where there is
        no authenticated connection.
        """
        connection = self._connection
        return None if connection is None else connection.transport_name

    @property
    def limits(self) -> AnnouncedLimits | None:
        """
        What the server takes from this client, as it announced on the present connection;
        None where there is no connection, and where it announced nothing, as JavaScript
        servers do.
        """
        connection = self._connection
        return None if connection is None else connection.limits

    @property
    def ignored_messages(self) -> int:
        """How many messages from the server could not be read, and were ignored."""
        return self._core.ignored

    # -- calls

    @overload
    def rpc(
        self,
        name: str,
        data: Any = None,
        *,
        timeout: float | None = None,
        idempotent: bool = False,
        type: type[T],
    ) -> Deferred[T]: ...

    @overload
    def rpc(
        self,
        name: str,
        data: Any = None,
        *,
        timeout: float | None = None,
        idempotent: bool = False,
        type: UnionType | None = None,
    ) -> Deferred[Any]: ...

    def rpc(
        self,
        name: str,
        data: Any = None,
        *,
        timeout: float | None = None,
        idempotent: bool = False,
        type: object = None,
    ) -> Deferred[Any]:
        """
        Call a function of the server.

        :param name: its name; dots nest.
        :param data: anything that has a JSON form; ``msgspec.UNSET`` sends none at all,
            as ``undefined`` does in JavaScript.
        :param timeout: seconds, instead of ``call_timeout``.
        :param idempotent: calling twice does no harm: where the connection is lost before
            the answer, the call is sent again on the next one.
        :param type: what the answer is to be: a ``msgspec.Struct``, a dataclass, a
            ``TypedDict``, ``list[int]``, or anything else that msgspec decodes.
        :return: fires with the answer.  Fails with

            - :class:`~txtokensock.errors.RemoteError` with what the server answered, as
              :class:`~txtokensock.errors.FunctionNotFound` and
              :class:`~txtokensock.errors.Forbidden` where it was that;
            - :class:`~txtokensock.errors.UnexpectedData`: the answer is not of that ``type``;
            - :class:`~txtokensock.errors.ConnectionLost`: it may have run;
            - :class:`~txtokensock.errors.CallTimeout`: ``may_have_run`` says if so;
            - :class:`~txtokensock.errors.QueueFull`,
              :class:`~txtokensock.errors.ClientClosed`,
              :class:`~txtokensock.errors.InvalidData`, also where it exceeds what the server
              announced to take, and :class:`~txtokensock.errors.InvalidOption`: it was not
              sent.

            Cancelling it forgets the call; where it was sent, it may still run.
        """
        uuid = self._core.new_uuid()
        try:
            payload = encode_call(name, data, uuid)
            read = None if type is None else reader_of(type, f"the answer to rpc {name!r}")
        except UsageError as problem:
            return fail(problem)
        request = Request(payload, uuid, "rpc", name, idempotent=idempotent)
        answered = self._submit(request, timeout)
        return answered if read is None else answered.addCallback(read)

    @property
    def actions(self) -> MutableMapping[str, Any]:
        """
        What the server may call: change it at any time.  An action gets the data of the
        call, and its result (that of its Deferred, of its coroutine) is the answer; raise
        :class:`~txtokensock.errors.ActionError` to answer with an error.
        """
        return self._core.actions

    def register(self, actions: Mapping[str, Action | Actions]) -> None:
        """
        Add actions; one of the same name is replaced.

        :raises InvalidOption: if they are not actions.
        """
        check_actions(actions, ("data",))
        self._core.actions.update(actions)

    def unregister(self, name: str) -> None:
        """
        Remove an action, or all those within a name.  Calls that run go on.

        :param name: its name; dots nest.
        :raises InvalidOption: if there is no action of that name.
        """
        if not remove_action(self._core.actions, name):
            raise InvalidOption(f"there is no action {name!r}")

    # -- publish and subscribe

    def publish(self, channel: str, data: Any, *, timeout: float | None = None) -> Deferred[None]:
        """
        Send a message to all subscribers of a channel.

        :param data: anything that has a JSON form.  Between JavaScript servers a text that
            looks like JSON arrives as what it looks like.
        :return: fires when the server has acknowledged it, where it acknowledges; else
            when the message was handed to a connection that had shown no sign of a close.
            A refusal that comes after that goes to ``error`` listeners.  Fails as :meth:`rpc`
            does, also with :class:`~txtokensock.errors.InvalidChannel`.
        """
        uuid = self._core.new_uuid()
        try:
            payload = encode_publish(check_channel(channel), data, uuid)
        except UsageError as problem:
            return fail(problem)
        request = Request(
            payload, uuid, "publish to", channel, completion=Completion.SENT, channel=channel
        )
        return self._submit(request, timeout)

    def broadcast(self, data: Any, *, timeout: float | None = None) -> Deferred[None]:
        """
        Send a message to everybody who is subscribed to anything; see :meth:`publish`.
        A peer gets it once for each of its channels.
        """
        uuid = self._core.new_uuid()
        try:
            payload = encode_broadcast(data, uuid)
        except UsageError as problem:
            return fail(problem)
        request = Request(payload, uuid, "broadcast", completion=Completion.SENT)
        return self._submit(request, timeout)

    def _submit(self, request: Request, timeout: float | None) -> Deferred[Any]:
        if self._idle:
            self._warn(stacklevel=4)
        try:
            seconds = self._timeout if timeout is None else check_seconds("timeout", timeout)
        except UsageError as problem:
            return fail(problem)
        return self._core.request_queue.submit(request, seconds)

    @overload
    def subscribe(
        self,
        channel: str,
        handler: Callable[[T], Any] | None = None,
        *,
        overflow: Overflow = "pause",
        buffer_limit: int | None = None,
        retry: RetryPolicy | None = None,
        on_confirmation: Listener | None = None,
        on_gap: Listener | None = None,
        type: type[T],
    ) -> Deferred[Subscription[T]]: ...

    @overload
    def subscribe(
        self,
        channel: str,
        handler: Callable[[Any], Any] | None = None,
        *,
        overflow: Overflow = "pause",
        buffer_limit: int | None = None,
        retry: RetryPolicy | None = None,
        on_confirmation: Listener | None = None,
        on_gap: Listener | None = None,
        type: UnionType | None = None,
    ) -> Deferred[Subscription[Any]]: ...

    def subscribe(
        self,
        channel: str,
        handler: Callable[[Any], Any] | None = None,
        *,
        overflow: Overflow = "pause",
        buffer_limit: int | None = None,
        retry: RetryPolicy | None = None,
        on_confirmation: Listener | None = None,
        on_gap: Listener | None = None,
        type: object = None,
    ) -> Deferred[Subscription[Any]]:
        """
        Subscribe to a channel, and again after each reconnect.

        :param handler: called with each message, in order; it may return a Deferred or be
            a coroutine function, and what it raises is logged.  Up to ``buffer_limit``
            calls of it run at a time (with 1, one after the other); further messages wait.
            Where the server ends the subscription, or the client gives up, it still gets
            what waits; after ``unsubscribe`` and :meth:`stopService` it is not called.
        :param overflow: what happens when ``buffer_limit`` messages wait:

            ``"pause"``
                the socket is not read until half of them are taken.  That goes for
                everything that comes on it, answers to calls included.  Only while
                nobody iterates, the oldest make room instead;
            ``"drop-oldest"``
                the oldest makes room for the newest;
            ``"drop-newest"``
                the newest is dropped.

            What is dropped is counted in ``subscription.dropped``.
        :param buffer_limit: messages that may wait, instead of the client's
            ``buffer_limit``.
        :param retry: when to ask the server again where it does not confirm, or ends the
            subscription: a function of the failure, and of the number of failures in a row;
            it gives seconds, or None to end the subscription with that failure.
            :meth:`Backoff.retry <txtokensock.Backoff.retry>` is one.  It is asked from the
            first attempt on, so that this may take as long as it takes: cancel the Deferred
            to wait no longer.

            By default the first attempt is the only one.  Once the server has confirmed, a
            refusal on a later connection is tried again after a time by ``backoff``; only
            :class:`~txtokensock.errors.Forbidden` and
            :class:`~txtokensock.errors.SubscriptionEnded` are final.
        :param on_confirmation: called with the subscription and None each time that the
            server has confirmed it, which it does once on each connection; and with the
            subscription and an exception when that is over, or an attempt failed: the
            connection is lost, the server refused or ended it.  ``subscription.active``
            says whether it will be tried again.  Errors that this hears of do not go to
            ``error`` listeners.
        :param on_gap: called with the subscription and a :class:`~txtokensock.Gap` when it has
            been confirmed anew, and what was published in the meantime may be missing.
        :param type: what each message is to be, as for :meth:`rpc`.  One that is not
            is left out, and ``error`` listeners get the
            :class:`~txtokensock.errors.UnexpectedData`; where there are none it is logged.
        :return: fires with the :class:`~txtokensock.Subscription` when the server has
            confirmed.  Fails with :class:`~txtokensock.errors.Forbidden` or another
            :class:`~txtokensock.errors.RemoteError` where the server refuses, with
            :class:`~txtokensock.errors.CallTimeout`, with
            :class:`~txtokensock.errors.InvalidChannel`,
            :class:`~txtokensock.errors.InvalidOption`,
            :class:`~txtokensock.errors.ClientClosed`, and with ``CancelledError`` where
            the channel is unsubscribed meanwhile; after any failure it is as if it had
            not been asked for.
        """
        elsewhere = wrong_thread()
        if elsewhere is not None:
            return fail(elsewhere)
        if self._idle:
            self._warn(stacklevel=3)
        limit = self._buffer_limit if buffer_limit is None else buffer_limit
        try:
            check_channel(channel)
            check_callable.optional("handler", handler, "message")
            check_callable.optional("on_confirmation", on_confirmation, "subscription", "error")
            check_callable.optional("on_gap", on_gap, "subscription", "gap")
            check_plain_function.optional("retry", retry, "failure", "number")
            check_overflow(overflow)
            check_count("buffer_limit", limit)
            read = None if type is None else reader_of(type, f"a message on {channel!r}")
        except UsageError as problem:
            return fail(problem)
        if self._core.request_queue.closed is not None:
            return fail(self._core.request_queue.closed.copy(f"subscribe to {channel!r}"))
        channels = self._core.channels
        kind: Callable[..., Subscription[Any]] = Subscription
        if read is not None:
            kind = partial(TypedSubscription, read, self._core.report)
        return channels.subscribe(
            kind(
                channel,
                handler,
                self._core,
                channels.drop,
                overflow=overflow,
                buffer_limit=limit,
                retry=retry or self._subscription_retry,
                persistent=retry is not None,
                on_confirmation=on_confirmation,
                on_gap=on_gap,
            )
        )

    def unsubscribe(self, channel: str) -> Deferred[None]:
        """
        End all subscriptions to a channel.

        :return: fires when the server has confirmed; at once where there is no
            subscription or no connection.  Fails with
            :class:`~txtokensock.errors.CallTimeout` or a
            :class:`~txtokensock.errors.RemoteError`.
        """
        elsewhere = wrong_thread()
        return self._core.channels.unsubscribe(channel) if elsewhere is None else fail(elsewhere)

    def channels(self) -> list[str]:
        """The channels that are subscribed to, or will be once there is a connection."""
        return self._core.channels.names()

    # -- events

    def on(self, event: Event, listener: Listener) -> None:
        """
        Call ``listener`` at each event from now on:

        ``ready(error)``
            the first connection is there (None), or an attempt at it failed;
        ``reconnect(error)``
            the same, for every connection after the first;
        ``message(channel, data)``
            a message came in, on any channel;
        ``disconnect(error)``
            the connection is gone;
        ``gap(gap)``
            a channel is subscribed to again, by this client or by the server, and messages
            may be missing: since when and until when is in the :class:`~txtokensock.Gap`;
        ``error(error)``
            an error that belongs to no Deferred: a late refusal of a publish, a
            subscription that the server ended, the client gave up.

        Listeners may return Deferreds or be coroutine functions; what they raise is logged.
        When ``buffer_limit`` calls of ``message`` listeners run, the socket is not read
        until half of them are done.

        :raises InvalidOption: for another event, or what cannot be called.
        """
        self._core.events.add(event, listener)

    def once(self, event: Event, listener: Listener) -> None:
        """Call ``listener`` at the next event only; see :meth:`on`."""
        self._core.events.add(event, listener, once=True)

    def remove_listener(self, event: Event, listener: Listener) -> None:
        """Call ``listener`` no more."""
        self._core.events.remove(event, listener)

    def remove_all_listeners(self, event: Event | None = None) -> None:
        """Call no listener of ``event``, or none at all, any more."""
        self._core.events.remove_all(event)

    def ready(self, listener: Listener) -> None:
        """The same as ``on("ready", listener)``, see :meth:`on`."""
        self.on("ready", listener)

    def onreconnect(self, listener: Listener) -> None:
        """The same as ``on("reconnect", listener)``, see :meth:`on`."""
        self.on("reconnect", listener)

    def onmessage(self, listener: Listener) -> None:
        """The same as ``on("message", listener)``, see :meth:`on`."""
        self.on("message", listener)
