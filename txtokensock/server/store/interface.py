"""
The interface of stores: what servers share, which is tokens and messages of channels.

A store is only a description until a server connects to it; a server that does so
gets a link of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, Interface

from .gathering import PATIENCE, Answered

__all__ = ["AnyStore", "IStore", "IStoreLink", "IStoreListener"]


class IStoreListener(Interface):
    """What a link tells the server that made it.  The methods must not raise."""

    def channel_message(channel: str, message: bytes) -> None:
        """
        A message was published on a channel.

        :param message: JSON; any server may have published it, this one included.
        """

    def broadcast_message(message: bytes) -> None:
        """
        A message was broadcast.

        :param message: JSON; any server may have broadcast it, this one included.
        """

    def unsubscribe_all(channel: str) -> None:
        """Some server unsubscribes all peers of all servers from a channel."""

    def interrupted(seconds: float) -> None:
        """
        The store can be heard again.

        :param seconds: in which this server may not have heard what others published.
        """

    def missed(channel: str, seconds: float) -> None:
        """
        The messages of a channel come again.

        :param seconds: in which some may not have come.
        """

    def answer(question: bytes, reply: Callable[[bytes, bool], None]) -> None:
        """
        A server, perhaps this one, asks all; see :meth:`IStoreLink.ask_servers`.

        :param question: JSON.  One that this server does not know is not answered.
        :param reply: called with each part of the answer, which is JSON, and whether it is the
            last; in this turn or later ones.
        """


class IStoreLink(Interface):
    """
    One server's link to a store.

    Its Deferreds fail with :class:`~txtokensock.errors.StoreUnavailable` at once while
    the store cannot be reached, and within seconds if it goes while they wait.
    """

    available = Attribute("bool: whether the store can be reached, as far as is known.")
    problem = Attribute(
        "str or None: why the store cannot be reached, in one line, for those who run the server."
    )
    since = Attribute("float: since when that is so, in seconds by the reactor's clock.")

    def known() -> Deferred[None]:
        """
        :return: fires with None when it is known whether the store can be reached, which takes
            seconds at most behind a start.  Never fails; cancelling it ends this wait alone.
        """

    def refuses(channel: str) -> bool:
        """Whether clients may not use that channel, because the store itself does."""

    def issue_token(token: str, identity: bytes, lifetime: int) -> Deferred[None]:
        """
        Keep a token.

        :param identity: the JSON that :meth:`spend_token` gives for it.
        :param lifetime: seconds.
        :return: fires with None when it is kept.
        """

    def spend_token(token: str) -> Deferred[bytes | None]:
        """
        Take a token out of the store.  It serves once: of any number of attempts, on any
        number of servers, one gets it.

        :param token: text in the form of a token.
        :return: fires with its JSON, or None if there is no such token, or no more.
        """

    def subscribe(channel: str) -> Deferred[None]:
        """
        Ask for the messages of a channel; to ask again changes nothing.

        :return: fires with None when they will come, or, while the store cannot be
            reached, at once: they will come when it can.  Fails with
            :class:`~txtokensock.errors.StoreUnavailable` where the store refuses it; then
            nothing is wanted any more.
        """

    def unsubscribe(channel: str) -> None:
        """Want them no more."""

    def publish(channel: str, message: bytes) -> Deferred[None]:
        """
        :param message: JSON.
        :return: fires with None when the store has it.
        """

    def broadcast(message: bytes) -> Deferred[None]:
        """
        :param message: JSON, for the channels of all peers.
        :return: fires with None when the store has it.
        """

    def unsubscribe_all(channel: str) -> Deferred[None]:
        """
        Have all servers unsubscribe their peers from a channel.

        :return: fires with None when the store has it.
        """

    def ask_servers(
        question: bytes, heard: Callable[[bytes], object], patience: float = PATIENCE
    ) -> Deferred[Answered]:
        """
        Ask all servers of the store that are there now, this one included.

        :param question: JSON, for :meth:`IStoreListener.answer`.
        :param heard: called with each part of each answer; it must not raise.
        :param patience: seconds that the servers have to answer, behind those that the store
            takes for the question.
        :return: fires when all have answered, or had their time, with how many have, and how
            many have not.
            Fails with :class:`~txtokensock.errors.UsageError` where clients can reach the
            channels on which servers speak to each other.  Cancelling it drops the answers.
        """

    def close() -> Deferred[None]:
        """
        End the link: the listener is not called any more.

        :return: fires with None when all is released.  Never fails.
        """


class IStore(Interface):
    """A place where servers share tokens and channels."""

    def connect(listener: IStoreListener, reactor: IReactorTime) -> IStoreLink:
        """
        :param listener: called with what is published.
        :param reactor: for every timer and connection of the link.
        :return: a link that may be used at once.
        """


class _Store(Protocol):
    def connect(self, listener: Any, reactor: Any, /) -> Any: ...


AnyStore: TypeAlias = "IStore | _Store"
"""Provides :class:`IStore`; checkers without a plugin look for its method alone."""
