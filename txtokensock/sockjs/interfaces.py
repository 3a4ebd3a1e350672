"""
What a SockJS session offers to the protocol that it carries.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IConsumer, IProtocol, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

__all__ = ["ISockJSProtocol", "ISockJSSession", "ISockJSTransport"]


class ISockJSTransport(ITransport, IConsumer, IPushProducer):
    """
    The transport of a protocol that runs over SockJS, on either side.

    It keeps message boundaries: every ``dataReceived`` is one whole message, every
    ``write`` sends one, ``writeSequence`` sends several in one frame.  Messages are
    UTF-8 text.  As with TCP, writes after the end are ignored, ``connectionLost`` comes
    exactly once, and its reason is a :class:`~txtokensock.errors.SockJSClosed` where the
    session was closed in order.

    ``pauseProducing`` stops reading from the network.  The remaining messages of the frame
    that is being delivered wait in order, and so does the notice of an orderly close.
    """

    name = Attribute('str: what carries the session, such as "websocket" or "xhr-streaming".')

    disconnecting = Attribute(
        "bool: whether the end has begun, on either side: nothing that is written is sent."
    )

    frames_received = Attribute(
        "int: how many frames have come in, heartbeats and WebSocket pings included.  While it "
        "does not grow, the peer is silent."
    )

    bytes_received = Attribute(
        "int: how many bytes of frames have come in, complete or not.  While it grows, a long "
        "frame is on its way.  A client's transport counts them, and a server's has 0."
    )

    bytes_in_frames = Attribute("int: what ``bytes_received`` was when the last frame came in.")

    last_received = Attribute(
        "float: when the last of these came in, in seconds of the reactor's clock; a client's "
        "transport knows it, and a server's has 0."
    )

    delivering = Attribute(
        "bool: whether the protocol is getting messages: what they provoke can wait until the "
        "last of them."
    )

    after_delivery = Attribute(
        "callable or None: called when the protocol has got what came together.  The protocol "
        "sets it; it must not raise."
    )

    frame_limits = Attribute(
        "tuple of two: the most bytes and messages of a frame, each None for any; the protocol "
        "sets it.  Where what was written in several calls leaves together, as over HTTP, a "
        "client's transport heeds it."
    )

    def close(code: int, reason: str) -> None:
        """
        Close in order, as ``loseConnection`` does with 1000 and "Normal closure".

        :param code: 1000, or 3000 to 4999.
        :param reason: at most 123 bytes in UTF-8.
        """

    def abortConnection() -> None:
        """Drop the connection at once; nothing more is sent or delivered."""


class ISockJSProtocol(IProtocol):
    """
    A protocol over SockJS that is told of an end before it has come.

    Between the first sign of a close and the end of the connection seconds may pass, in which
    nothing can be sent any more.
    """

    def connectionClosing(reason: Failure) -> None:
        """
        The other side closes the session, or the connection is about to be dropped.  Called
        at most once, after the messages that came before, where the end is not known at once;
        ``connectionLost`` follows in every case.

        :param reason: why, as far as it is known by now.
        """


class ISockJSSession(Interface):
    """
    One session, which moves messages: over a WebSocket, or in HTTP requests.

    It calls the :class:`~txtokensock.sockjs.transport.SockJSTransport` of its protocol
    with ``messages_received``, with ``closing`` where it is known that the end is near, and,
    exactly once, with ``ended``.
    """

    def send(messages: list[bytes]) -> None:
        """Send messages, in one frame."""

    def close(code: int, reason: str) -> None:
        """Send what was written before, close, and call ``ended`` within a deadline."""

    def abort() -> None:
        """Drop everything and call ``ended`` within the next turn of the reactor."""

    def pause_reading() -> None:
        """Stop reading from the network."""

    def resume_reading() -> None:
        """Read from the network again."""

    def register_producer(producer: object, streaming: bool) -> None:
        """Pause and resume ``producer`` as the network's buffer fills and drains."""

    def unregister_producer() -> None:
        """Stop telling the producer about the network's buffer."""

    def peer() -> IAddress:
        """The address of the other side."""

    def host() -> IAddress:
        """The address of this side."""
