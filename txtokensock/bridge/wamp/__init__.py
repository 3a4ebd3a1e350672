"""
The WAMP side of the bridge; :class:`TokenSocketComponent` is for Crossbar containers.

=========================  =============================================================
wamp_session.py            a session, as the rules see one: :class:`~.realm.Realm`
router_session.py          the same over a connection of our own; challenge.py answers for it
silence.py                 whether a router that owes an answer is silent
router_connection.py       WebSocket and RawSocket; router_endpoint.py is the way there
component.py               a session that a Crossbar container keeps
wamp_side.py               keeps a session, as a side of the bridge
forwarding.py              what is forwarded between the socket and a session
call_forwarding.py         calls, both ways
channel_forwarding.py      messages, both ways: forwarded_channel.py, topic_publisher.py,
                           echo.py, demand.py, lease.py
=========================  =============================================================

Private parts of Autobahn that are used, all of them in wamp_session.py,
router_session.py and router_connection.py, for there is no public way to the same:

``ApplicationSession._transport``
    whether there is a connection, and to send messages of our own making on it: the public
    methods call functions with arguments of peers by keyword, which can collide.
``ApplicationSession._session_id``
    whether the realm is joined.
``ApplicationSession._request_id_gen``
    numbers for our requests that do not collide with those of Autobahn's own.
``WebSocketProtocol._dataReceived``
    the method behind ``dataReceived``, without a debug message for each read.
"""

from typing import Any

__all__ = ["TokenSocketComponent"]


def __getattr__(name: str) -> Any:
    # The configuration knows patterns of this package, and needs no Autobahn for them.
    if name == "TokenSocketComponent":
        from .component import TokenSocketComponent

        return TokenSocketComponent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
