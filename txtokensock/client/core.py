"""
What goes on between a user and a server, across all their connections.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger, LogLevel

from ..actions import Actions
from ..errors import ClientClosed, UnsolicitedError
from ..messages.from_server import (
    ChannelMessage,
    ServerError,
    ServerMessage,
    Subscribed,
    Unsubscribed,
)
from .channels import Channels
from .connection import Connection
from .events import Events
from .flow import RunningCalls
from .request import uuid_source
from .request_queue import RequestQueue

__all__ = ["ClientCore"]


class ClientCore:
    """
    The owner of every connection, and the observer of the service that makes them.

    :ivar events: ``ready``, ``reconnect``, ``message``, ``disconnect``, ``gap``, ``error``.
    :ivar actions: what the server may call.
    :ivar expose_errors: whether it gets the texts of their unexpected exceptions.
    :ivar answered: passes an answer on to the requests.
    :ivar delivered: sends the requests that wait, now.
    :ivar ignored: how many messages could not be read so far.
    :ivar when_given_up: called when there will be no more attempts, before anybody is told.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        actions: Actions,
        *,
        queue_limit: int,
        queue_bytes: int,
        call_timeout: float,
        buffer_limit: int,
        expose_errors: bool = False,
    ) -> None:
        self._reactor = reactor
        self.events = Events(
            {
                "ready": ("error",),
                "reconnect": ("error",),
                "message": ("channel", "data"),
                "disconnect": ("error",),
                "gap": ("gap",),
                "error": ("error",),
            }
        )
        self._message_listeners = self.events.listeners("message")
        self.actions: MutableMapping[str, Any] = dict(actions)
        self.expose_errors = expose_errors
        self.running_actions: set[Deferred[Any]] = set()
        self.new_uuid = uuid_source()
        self.request_queue = RequestQueue(reactor, queue_limit, queue_bytes, self.report)
        self.channels = Channels(
            reactor,
            self.request_queue,
            self.new_uuid,
            call_timeout,
            self.report,
            partial(self.events.emit, "gap"),
        )
        self.answered = self.request_queue.answered
        self.delivered = self.request_queue.flush
        self.ignored = 0
        self._complained = False
        self._told: str | None = None  # why the last attempt has failed
        self.when_given_up: Callable[[], object] = lambda: None
        self._connection: Connection | None = None
        self._holders: set[object] = set()
        self._running_listeners = RunningCalls(buffer_limit, self)

    def open(self) -> None:
        """Take calls again, after :meth:`close`."""
        self.request_queue.reopen()

    def close(self, reason: ClientClosed, *, discard: bool = True) -> Callable[[], None]:
        """
        Fail whatever is asked from now on.

        :param discard: whether handlers are not to get what waits for them.
        :return: fails what waits.  That is a step of its own, for a callback may start the
            client again, and must find it stopped.
        """
        endings = [self.channels.close(reason, discard=discard), self.request_queue.close(reason)]

        def end_all() -> None:
            for end in endings:
                end()

        return end_all

    def report(self, error: Exception) -> None:
        """Emit an error that belongs to no Deferred, or log it where nobody listens."""
        if not self.events.emit("error", error):
            self._log.warn("{error}", event="client.error", error=error)

    # -- ConnectionOwner

    def channel_message(self, message: ChannelMessage) -> None:
        """Pass a message on to the listeners and the channel's subscriptions."""
        # Where they are full, reading has been stopped; only a connection that is not
        # authenticated yet is read all the same, and could fill the memory.
        if self._message_listeners and not self._running_listeners.full:
            running = self._running_listeners.add
            self.events.emit("message", message.channel, message.message, running=running)
        self.channels.deliver(message.channel, message.message)

    def message_received(self, message: ServerMessage) -> None:
        """Pass on what the server says of a channel, or of itself."""
        if isinstance(message, Subscribed):
            self.channels.confirmed(message)
        elif isinstance(message, Unsubscribed):
            self.channels.ended(message)
        elif isinstance(message, ServerError):
            self._unsolicited(UnsolicitedError(message.error))

    def _unsolicited(self, error: UnsolicitedError) -> None:
        """Emit or log the error; the log has only the first of each connection."""
        if not self.events.emit("error", error) and not self._complained:
            self._complained = True
            self._log.warn(
                "{error}; more of this is not logged", event="client.error", error=error
            )

    def message_ignored(self, problem: str) -> None:
        """Count a message that cannot be read, and log the first of them."""
        self.ignored += 1
        if self.ignored == 1:
            self._log.warn(
                "the server sent what cannot be read; this and more of it is ignored: {problem}",
                event="client.ignored",
                problem=problem,
            )

    def connection_writable(self) -> None:
        """Send the requests that wait, in the next turn."""
        self.request_queue.writable()

    def connection_lost(self, reason: Exception, last_heard: float) -> None:
        """End or keep what is in flight, and have the channels wait for the next connection."""
        self._connection = None
        tell_subscriptions = self.channels.disconnected(reason, last_heard)
        self.request_queue.detach(reason)
        tell_subscriptions()

    # -- ServiceObserver

    def attempt_failed(self, error: Exception, first: bool, retry_in: float | None) -> None:
        """Tell ``ready`` listeners before the first success, and ``reconnect`` listeners after."""
        self.request_queue.obstacle = error
        is_told = self.events.emit("ready" if first else "reconnect", error)
        before, self._told = self._told, str(error)
        level = LogLevel.info if is_told else LogLevel.warn
        self._log.emit(
            LogLevel.debug if self._told == before else level,
            "cannot connect: {error}{next}",
            event="client.not_connected",
            error=error,
            next=_next(retry_in),
        )

    def established(self, connection: Connection, first: bool) -> None:
        """Subscribe to what is wanted now, then send what waits."""
        self._log.info(
            "connected by {transport}",
            event="client.connected",
            transport=connection.transport_name,
        )
        self._connection = connection
        self._told = None
        self._complained = False
        if self._holders:
            connection.hold(self)
        self.channels.connected()
        self.request_queue.attach(connection)
        self.events.emit("ready" if first else "reconnect", None)

    def disconnected(self, reason: Exception, retry_in: float | None) -> None:
        """Log the loss, and tell ``disconnect`` listeners."""
        self._log.info(
            "disconnected: {reason}{next}",
            event="client.disconnected",
            reason=reason,
            next=_next(retry_in),
        )
        self.events.emit("disconnect", reason)

    def gave_up(self, error: ClientClosed) -> None:
        """Fail everything that waits, and tell ``error`` listeners."""
        self._log.warn("{error}", event="client.gave_up", error=error)
        self.when_given_up()
        self.close(error, discard=False)()
        self.events.emit("error", error)

    # -- ReadFlow: slow readers

    def hold(self, holder: object) -> None:
        """Stop reading from the server, on this connection and those to come."""
        self._holders.add(holder)
        if self._connection is not None:
            self._connection.hold(self)

    def release(self, holder: object) -> None:
        """``holder`` has no objection to reading any more."""
        self._holders.discard(holder)
        if not self._holders and self._connection is not None:
            self._connection.release(self)

    def in_turn(self, function: Callable[[], None]) -> None:
        """Call ``function`` in a turn of the reactor; this, from wherever it may be."""
        if IReactorFromThreads.providedBy(self._reactor):
            self._reactor.callFromThread(function)
        else:  # a clock
            self._reactor.callLater(0, function)


def _next(retry_in: float | None) -> str:
    return "" if retry_in is None else f"; next attempt in {retry_in:.3g} s"
