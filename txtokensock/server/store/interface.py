"""
Where servers keep what they share: tokens, and the traffic of channels.

A store is only a description until a server connects to it; a server that does so
gets a link of its own.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, Interface

__all__ = ["IStore", "IStoreLink", "IStoreListener"]


class IStoreListener(Interface):
    """What a link tells the server that made it; nothing of it raises."""

    def channel_message(channel: str, message: bytes) -> None:
        """
        :param message: JSON that was published by any server, this one included.
        """

    def broadcast_message(message: bytes) -> None:
        """
        :param message: JSON that was broadcast by any server, this one included.
        """

    def unsubscribe_all(channel: str) -> None:
        """Some server wants all peers of all servers unsubscribed."""


class IStoreLink(Interface):
    """
    One server's link to a store.

    Its Deferreds fail with :class:`~txtokensock.errors.StoreUnavailable` at once while
    the store cannot be reached, and within seconds if it goes while they wait.
    """

    available = Attribute("bool: whether the store can be reached, as far as is known.")
    since = Attribute("float: when that became so, in seconds by the reactor's clock.")

    def refuses(channel: str) -> bool:
        """Whether the store uses the channel for something that is not for clients."""

    def issue_token(token: str, identity: bytes, lifetime: int) -> Deferred[None]:
        """
        Keep a token.

        :param identity: the JSON that :meth:`spend_token` gives for it.
        :param lifetime: seconds.
        :return: fires with None when it is kept.
        """

    def spend_token(token: str) -> Deferred[bytes | None]:
        """
        Take a token out: of any number of attempts, on any server, one gets it.

        :param token: of the form of a token; any other text is never looked up.
        :return: fires with its JSON, or None if there is no such token (any more).
        """

    def subscribe(channel: str) -> Deferred[None]:
        """
        Want the messages of a channel; again and again is the same as once.

        :return: fires with None when they will come, or, while the store cannot be
            reached, at once: they will come when it can.  Never fails.
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

    def close() -> Deferred[None]:
        """
        End the link: the listener hears no more.

        :return: fires with None when all is released.  Never fails.
        """


class IStore(Interface):
    """A place where servers share tokens and channels."""

    def connect(listener: IStoreListener, reactor: IReactorTime) -> IStoreLink:
        """
        :param listener: hears what is published.
        :param reactor: for every timer and connection of the link.
        :return: a link that may be used at once.
        """
