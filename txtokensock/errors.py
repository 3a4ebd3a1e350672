"""
Every error that txtokensock raises or fails a Deferred with.

One tree, ordered by whose move is next::

    TokenSocketError
      UsageError            you: the call itself cannot work
        InvalidOption, InvalidAddress, InvalidChannel
        InvalidData         MessageTooLarge
        ClientClosed, QueueFull
      PeerError             the other side answered, and the answer is no
        RemoteError         FunctionNotFound, Forbidden
        UnsolicitedError, SubscriptionEnded, UnexpectedData
      NetworkError          nobody's answer: it may work if tried again
        CallTimeout, ConnectionLost, PeerSilent, StoreUnavailable
        ConnectionFailed    one attempt to connect, .phase says how far it came
          AttemptTimeout, ConnectFailed, TLSFailed, HandshakeRefused, SockJSRefused
          ProxyRefused, AllHostsFailed, AllTransportsFailed
          TokenError        TokenRefused, TokenServerError, TokenInvalid, TokenUnreachable,
                            CredentialsUnavailable
          AuthenticationError  AuthenticationRefused, AuthenticationAborted
      ActionError           not raised to you: raise it from an action, to answer with it

:class:`SockJSClosed` and :class:`SessionLost` stand outside: they are Twisted's
``ConnectionDone``, with a close code, and Twisted's ``ConnectionLost``, over HTTP.

Texts never hold a token, a credential, a cookie or a query string.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from twisted.internet import error

from .support.deprecation import deprecate
from .support.portable import Portable

__all__ = [
    "ActionError",
    "AllHostsFailed",
    "AllTransportsFailed",
    "AttemptTimeout",
    "AuthenticationAborted",
    "AuthenticationError",
    "AuthenticationRefused",
    "CallTimeout",
    "ClientClosed",
    "ConnectFailed",
    "ConnectionFailed",
    "ConnectionLost",
    "CredentialsUnavailable",
    "Forbidden",
    "FunctionNotFound",
    "HandshakeRefused",
    "InvalidAddress",
    "InvalidChannel",
    "InvalidData",
    "InvalidOption",
    "MessageTooLarge",
    "NetworkError",
    "PeerError",
    "PeerSilent",
    "Phase",
    "ProxyRefused",
    "QueueFull",
    "RemoteError",
    "SessionLost",
    "SockJSClosed",
    "SockJSRefused",
    "StoreUnavailable",
    "SubscriptionEnded",
    "TLSFailed",
    "TokenError",
    "TokenInvalid",
    "TokenRefused",
    "TokenServerError",
    "TokenSocketError",
    "TokenUnreachable",
    "UnexpectedData",
    "UnsolicitedError",
    "UsageError",
]

Phase = Literal["token", "connect", "handshake", "open", "auth"]
"""
How far an attempt to connect came: the HTTP request for a token, the TCP (and
TLS) connection, the WebSocket handshake (or the first HTTP request of another
transport), the wait for SockJS's ``o`` frame,
the wait for the answer to ``auth``.
"""

_AGAIN = deprecate("ClientClosed.again()", "copy()", ends="0.3.0")

_LONGEST_QUOTE = 200
_GONE = frozenset({301, 308, 410})


def shorten(text: str) -> str:
    """
    ``text`` on one line, cut so that a peer cannot fill a log with it, and without what a
    terminal would obey.
    """
    line = " ".join(text.split())
    if not line.isprintable():
        marks = line[: _LONGEST_QUOTE + 1]
        line = "".join(mark if mark.isprintable() else "\ufffd" for mark in marks)
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"


class TokenSocketError(Portable):
    """
    The root: everything below is caught by catching this.

    :remedy: Look at the section of its class; this one is never raised itself.
    """


# -- the caller ---------------------------------------------------------------


class UsageError(TokenSocketError):
    """
    The call cannot work as it was made; trying again will not help.

    :remedy: Change the call; its text says what is wrong with it.
    """


class InvalidOption(UsageError, ValueError):
    """
    An option has a value that it cannot have; the text names both.

    :remedy: Give the option a value of the kind that the text asks for.
    """


class InvalidAddress(InvalidOption):
    """
    The server's address cannot be read as a URL or ``host[:port]``.

    :remedy: Write it as ``https://example.com/prefix`` or ``example.com:8080``.
    """


class InvalidChannel(UsageError, ValueError):
    """
    A channel name that is not a non-empty string, that the server keeps for itself, or that
    is longer than the server takes; or one channel more than it takes.

    :remedy: Choose a shorter or another name; unsubscribe from channels, or raise ``channels``
        or ``channel_name`` of the server's :class:`~txtokensock.server.Limits`.
    """


class InvalidData(UsageError, ValueError):
    """
    The data has no JSON form (or one that the wire would change, such as NaN), or nests
    deeper than the server takes.

    :remedy: Turn the value into one with a JSON form before it is sent: NaN into None, an
        object into a mapping.
    """


class MessageTooLarge(InvalidData):
    """
    The message is larger than the server has announced to take: send less at a time.

    :remedy: Send it in parts, or raise ``message_size`` of the server's
        :class:`~txtokensock.server.Limits`.
    """


class ClientClosed(UsageError):
    """
    The client was stopped, gave up, or was never started: start it, or make a
    new one.  ``__cause__`` is the last failed attempt's error where the client
    gave up by itself.

    :remedy: See the section of the ``__cause__``, if there is one; else call
        ``startService()``, or look for who called ``end()``.
    """

    def copy(self, what: str = "") -> ClientClosed:
        """
        :param what: was asked, for people, such as ``rpc 'echo'``: put before the text.
        :return: an exception that says the same, for one more who waits: each is raised on
            its own, and keeps the frames that it passed through, with all that they hold.
        """
        closed = ClientClosed(f"{what}: {self}" if what else str(self))
        closed.__cause__ = self.__cause__
        return closed

    def again(self) -> ClientClosed:
        """The name that :meth:`copy` had."""
        _AGAIN.warn()
        return self.copy()


class QueueFull(UsageError):
    """
    As many messages as ``queue_limit`` allows, or as many bytes of them as ``queue_bytes``
    does, are already waiting for the connection; the text says which.  Slow down by waiting for
    the Deferreds, or raise the limit.

    :remedy: Await the Deferreds of earlier calls before you make more; raise ``queue_limit``
        or ``queue_bytes`` where memory is there for it.
    """


class ActionError(TokenSocketError):
    """
    Raise it from an action to answer the caller with an error of your choice::

        raise ActionError({"code": 42, "message": "no such user"})

    Of any other exception the caller gets ``Internal error (ref 3f9a1c2e)``; the log has its
    traceback beside that reference.

    :ivar error: what the caller gets, any JSON; what peers read as success, see
        ``is_error``, is refused.
    :remedy: You raise it; the caller gets a :class:`RemoteError`.
    """

    def __init__(self, error: Any) -> None:
        if not is_error(error):
            raise InvalidData(f"an action's error cannot be {error!r}: peers read it as success")
        super().__init__(_readable(error))
        self.error = error


# -- the peer -----------------------------------------------------------------


def is_error(value: Any) -> bool:
    """
    Whether the ``error`` of an answer is one.  JavaScript takes null, false, 0 and ``""``
    for none, but ``{}``, which is all that JSON leaves of an ``Error``, for one.
    """
    return value is not None and value != 0 and value != ""


def _readable(value: Any) -> str:
    """An error of any JSON type as one line for people."""
    if isinstance(value, Mapping):
        for key in ("message", "error", "reason"):
            if isinstance(value.get(key), str):
                return shorten(value[key])
    try:
        return shorten(value if isinstance(value, str) else repr(value))
    except RecursionError:  # repr() takes more of the stack than reading the JSON did
        return "an error nested too deep to be shown"


def _with_reason(message: str, error: Any) -> str:
    return message if error is None else f"{message}: {_readable(error)}"


class PeerError(TokenSocketError):
    """
    The other side understood, and answered with an error.

    :remedy: Look at the section of its class, and at the log of the other side.
    """


class RemoteError(PeerError):
    """
    The other side answered a call with an error, or with what is not valid JSON.

    :ivar error: the error as it was sent: a string, number, object or list; of an answer that
        cannot be read, a text that says why.
    :ivar what: what was asked, for people, such as ``rpc 'echo'``.
    :remedy: Read ``error``, which is the function's own. For ``Internal error (ref ...)``,
        search the other side's log for that reference.
    """

    def __init__(self, error: Any, what: str | None = None) -> None:
        super().__init__(f"{what}: {_readable(error)}" if what else _readable(error))
        self.error = error
        self.what = what


class FunctionNotFound(RemoteError):
    """
    The other side has no function of that name.

    :remedy: Compare the name with those in the other side's ``actions``; dots go into nested
        mappings.
    """


class Forbidden(RemoteError):
    """
    The other side refuses this to us.

    :remedy: Compare with what the server's hooks allow to these credentials.
    """


class UnsolicitedError(PeerError):
    """
    The server reported an error and did not say what for, so that no Deferred
    could be failed with it: it goes to ``error`` listeners.

    :ivar error: the error as it was sent.
    :remedy: Listen to ``error`` events; the server's log says what it refused.
    """

    def __init__(self, error: Any) -> None:
        super().__init__(
            f"the server reported an error for no request of ours: {_readable(error)}"
        )
        self.error = error


class SubscriptionEnded(PeerError):
    """
    The server ended a subscription that we had, without being asked.

    :remedy: Ask whoever runs the server; subscribe again where it may be allowed later.
    """


class UnexpectedData(PeerError):
    """
    The answer to a call, or a message of a channel, is not of the ``type`` that was asked for.

    :ivar data: what came instead.
    :remedy: Its text says where the data differs: correct the type, or what the other side
        sends. A field that may be missing needs a default.
    """

    def __init__(self, message: str, data: Any) -> None:
        super().__init__(message)
        self.data = data


def remote_error(value: Any, what: str | None = None) -> RemoteError:
    """
    The error for an answer's ``error`` value.

    "Function not found" and "Forbidden" are the two texts that both versions of
    node-token-sockjs use for these refusals.
    """
    if value == "Function not found":
        return FunctionNotFound(value, what)
    if value == "Forbidden":
        return Forbidden(value, what)
    return RemoteError(value, what)


# -- the network --------------------------------------------------------------


class NetworkError(TokenSocketError):
    """
    Nobody answered: the same call may work later.

    :remedy: Look at the section of its class.
    """


class CallTimeout(NetworkError, TimeoutError):
    """
    No answer in time, time in the queue included.

    :ivar may_have_run: whether the request had been sent, so that the other
        side may have acted on it (or may yet).
    :remedy: Where ``may_have_run`` is false, there was no connection: see the section of its
        ``__cause__``. Else the function is slow: give the call a longer ``timeout``.
    """

    def __init__(self, message: str, *, may_have_run: bool) -> None:
        super().__init__(message)
        self.may_have_run = may_have_run


class ConnectionLost(NetworkError):
    """
    The connection went while the answer was awaited: the request may have run.
    A call made with ``idempotent=True`` is sent again instead.

    :ivar may_have_run: whether the request had been sent.
    :remedy: Ask the server what became of the call, or make calls that may run twice with
        ``idempotent=True``; the ``__cause__`` says why the connection went.
    """

    def __init__(self, message: str, *, may_have_run: bool = True) -> None:
        super().__init__(message)
        self.may_have_run = may_have_run


class StoreUnavailable(NetworkError):
    """
    A server cannot reach what it shares with others (Redis), or is not running.

    :remedy: Look at ``/readyz`` of the server, and at Redis; start the server, or wait until
        Redis is back.
    """


class PeerSilent(NetworkError):
    """
    The server stopped answering, not even a ping: the connection was cut by us.

    :remedy: Nothing, for the client reconnects. Where it happens again and again, look at the
        server's load, and at firewalls that drop idle connections.
    """


class ConnectionFailed(NetworkError):
    """
    One attempt to connect failed.

    :ivar phase: how far it had come, see :data:`Phase`.
    :ivar permanent: whether the next attempt can be no better: what must change first is the
        address, the server or the machine.
    :ivar status: the HTTP status that said no, or None.
    :ivar retry_after: seconds that the server asked us to wait, or None.
    :ivar retry_in: seconds between this failure and the next attempt, set before any callback
        sees the error; None where there will be none, and for the error of one
        among several hosts.
    :remedy: Look at the section of its class.
    """

    phase: Phase
    permanent: bool = False
    status: int | None = None
    retry_after: float | None = None
    retry_in: float | None = None

    def __init__(self, message: str, phase: Phase) -> None:
        super().__init__(message)
        self.phase = phase


class AllHostsFailed(ConnectionFailed):
    """
    One attempt at several hosts failed.

    :ivar errors: what each host's failed with, in the order in which they were tried; that
        of a host which was passed over is from before.  The last is the ``__cause__``, and
        ``phase`` is its.
    :ivar holds: seconds for which each host is passed over from now on, where it is
        (``math.inf``: for good); none at all with a ``retry_policy``.
    :remedy: Look at the sections of its ``errors``.
    """

    def __init__(
        self, errors: Mapping[str, Exception], holds: Mapping[str, float] | None = None
    ) -> None:
        """:param errors: one at least."""
        texts = (f"{host}: {shorten(str(error))}" for host, error in errors.items())
        *_, last = errors.values()
        phase = last.phase if isinstance(last, ConnectionFailed) else "connect"
        super().__init__(f"no host could be connected to: {'; '.join(texts)}", phase)
        self.errors = dict(errors)
        self.holds = dict(holds or {})
        self.permanent = all(getattr(error, "permanent", False) for error in errors.values())
        self.__cause__ = last


class AllTransportsFailed(ConnectionFailed):
    """
    One attempt with each of several transports failed.

    :ivar errors: what each transport's failed with, in the order in which they were tried.
        The last is the ``__cause__``, and ``phase`` and ``status`` are its; ``retry_after``
        is the longest.
    :remedy: Look at the sections of its ``errors``. Where all are 404, compare
        ``socket_prefix`` with the server's.
    """

    def __init__(self, errors: Mapping[str, ConnectionFailed], url: str = "") -> None:
        """
        :param errors: one at least.
        :param url: of the SockJS server, for the text.
        """
        texts = (f"{name}: {shorten(str(error))}" for name, error in errors.items())
        *_, last = errors.values()
        where = f" at {url}" if url else ""
        if all(error.status == 404 for error in errors.values()):
            where += " (is socket_prefix right?)"
        super().__init__(f"no transport worked{where}: {'; '.join(texts)}", last.phase)
        self.errors = dict(errors)
        self.permanent = all(error.permanent for error in errors.values())
        self.status = last.status
        waits = [error.retry_after for error in errors.values() if error.retry_after is not None]
        self.retry_after = max(waits, default=None)
        self.__cause__ = last


class AttemptTimeout(ConnectionFailed, TimeoutError):
    """
    A phase of connecting took longer than its deadline; ``phase`` says which.

    :remedy: Look at ``phase``: for ``token`` and ``connect`` at the address, the firewall and
        the proxy; for ``handshake`` and ``open`` at proxies before the server; for ``auth`` at
        the server's hook. A slow network needs longer :class:`~txtokensock.Timeouts`.
    """

    def __init__(self, phase: Phase, seconds: float, hint: str = "") -> None:
        """:param hint: behind the rest of the text."""
        waited_for = {
            "token": "the token request was not answered",
            "connect": "no connection was made",
            "handshake": "the request for a session was not answered",
            "open": "the SockJS session was not opened",
            "auth": "the server did not answer auth",
        }[phase]
        super().__init__(f"{waited_for} within {seconds:g} seconds{hint}", phase)


class ConnectFailed(ConnectionFailed):
    """
    No TCP or TLS connection to the SockJS server; the text says why.

    :remedy: Compare host and port with where the server listens, and whether it runs; look at
        firewalls on the way.
    """


class ProxyRefused(ConnectFailed):
    """
    The proxy was reached, and does not connect us to the server: it asks for a password,
    does not allow that address, cannot reach it, or is not a proxy.  The text says which.

    :ivar status: the HTTP status of its answer, such as 407, 403 or 502; None where it gave
        none.
    :remedy: Put user and password into the proxy's URL for 407; ask whoever runs the proxy for
        403; ``proxy=False`` goes without one.
    """

    def __init__(self, message: str, status: int | None = None, phase: Phase = "connect") -> None:
        super().__init__(message, phase)
        self.status = status


class TLSFailed(ConnectionFailed):
    """
    Connected, but the TLS handshake failed: the server's certificate is not trusted, ours
    was refused, or what answered does not speak TLS.  The text says which, and names the option
    that would allow it.

    :ivar permanent: whether it stays like that until a certificate or an option is changed.
    :remedy: Set the option that the text names, or have the certificate renewed; write
        ``http://`` where the server speaks no TLS.
    """

    def __init__(self, message: str, phase: Phase, *, permanent: bool) -> None:
        super().__init__(message, phase)
        self.permanent = permanent


class HandshakeRefused(ConnectionFailed):
    """
    Connected, but what answered did not accept the WebSocket handshake, or a request of
    another transport.

    :ivar status: the HTTP status of its answer, or None where that was not HTTP.
    :remedy: Compare ``socket_prefix`` with the server's for 404; let proxies pass the upgrade
        of WebSockets (:doc:`/proxies`), or use other ``transports``.
    """

    def __init__(
        self,
        message: str,
        phase: Phase = "handshake",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, phase)
        self.status = status
        self.retry_after = retry_after


class SockJSRefused(ConnectionFailed):
    """
    The SockJS server closed the session instead of opening it.

    :ivar code: the close code that it gave, or None where it gave none.
    :remedy: Read the close code in the table of close codes; 4503 means that the server stops.
    """

    def __init__(self, message: str, phase: Phase = "open", code: int | None = None) -> None:
        super().__init__(message, phase)
        self.code = code


class TokenError(ConnectionFailed):
    """
    The HTTP request for a token gave none.

    :remedy: Look at the section of its class.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, "token")


class CredentialsUnavailable(TokenError):
    """
    Your ``authentication`` function failed, or gave what cannot be sent.

    :remedy: Mend your function; its own exception is the ``__cause__``.
    """


class TokenRefused(TokenError):
    """
    The token route refused us: the credentials are wrong or not allowed in.  The client
    keeps trying, slowly, for they may be accepted one day.

    :ivar status: 401 or 403.
    :ivar error: the reason that the route gave, any JSON, or None where it gave none.  What
        it repeats of the credentials is left out.
    :remedy: Check ``authentication``, and compare it with what the server's ``authenticate``
        asks for.
    """

    def __init__(
        self,
        message: str,
        status: int,
        retry_after: float | None = None,
        error: Any = None,
    ) -> None:
        super().__init__(_with_reason(message, error))
        self.status = status
        self.retry_after = retry_after
        self.error = error


class TokenServerError(TokenError):
    """
    The token route answered with a status that is neither success nor refusal.

    :ivar status: the HTTP status.
    :ivar error: as that of :class:`TokenRefused`.
    :ivar permanent: that it is 301, 308 or 410: another address is needed.
    :remedy: Compare ``token_path`` with the server's for 404, use the new address for 301 and
        308, and look at the server's log for 5xx. 429 passes.
    """

    def __init__(
        self,
        message: str,
        status: int,
        retry_after: float | None = None,
        error: Any = None,
    ) -> None:
        super().__init__(_with_reason(message, error))
        self.status = status
        self.retry_after = retry_after
        self.error = error
        self.permanent = status in _GONE


class TokenInvalid(TokenError):
    """
    The token route answered 200, but with no token in JSON: is this the right URL?

    :remedy: Compare host and ``token_path`` with the server's: another site, or a login page,
        has answered.
    """


class TokenUnreachable(TokenError):
    """
    The token route could not be reached, or broke off; the text says why.

    :remedy: Start the server, or correct host and port; look at firewalls and at the proxy.
    """


class AuthenticationError(ConnectionFailed):
    """
    Connected, but the token was not accepted.

    :remedy: Look at the section of its class.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, "auth")


class AuthenticationRefused(AuthenticationError):
    """
    The server answered ``auth`` with an error, such as "Token not found".

    :ivar error: the error as it was sent.
    :remedy: Where several servers answer for one name, let them share a store (Redis); see
        that nothing delays the socket for longer than a token lives.
    """

    def __init__(self, error: Any, token: str = "") -> None:
        """:param token: what the text must not hold, though the server's may."""
        text = _readable(error)
        super().__init__(
            f"the server refused the token: {text.replace(token, '<token>') if token else text}"
        )
        self.error = error


class AuthenticationAborted(AuthenticationError):
    """
    The server closed the session without answering ``auth``, or at once when it had.

    :remedy: Read the close code of the ``__cause__`` in the table of close codes.
    """


class SessionLost(Portable, error.ConnectionLost):
    """
    The reason of ``connectionLost`` for a SockJS session over HTTP that did not end in order.

    :ivar status: the HTTP status that ended it, or None.
    :remedy: Nothing, for the client reconnects; where it comes after the same time again and
        again, a proxy on the way cuts responses off.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class SockJSClosed(Portable, error.ConnectionDone):
    """
    The reason of ``connectionLost`` for a SockJS session that was closed in
    order, by either side.

    :ivar code: SockJS's close code, such as 1000 or 3000.
    :ivar reason: its text.
    :remedy: Read ``code`` in the table of close codes.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"SockJS session closed: {code} {shorten(reason)}")
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"SockJS session closed: {self.code} {shorten(self.reason)}"
