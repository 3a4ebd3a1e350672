"""
The token request: an HTTP GET that buys one token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias
from urllib.request import Request

from hyperlink import EncodedURL
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IPolicyForHTTPS, IResponse

from ..errors import (
    AttemptTimeout,
    CredentialsUnavailable,
    InvalidOption,
    TokenError,
    TokenInvalid,
    TokenRefused,
    TokenServerError,
    TokenUnreachable,
    shorten,
)
from ..jsontext import Malformed, loads
from ..web.tls import explain
from .credentials import encode_credentials

__all__ = ["Authentication", "TokenRequest"]

Authentication: TypeAlias = Mapping[str, Any] | Callable[[], Any]
"""
Credentials, or a function that gives them (or a Deferred or coroutine of them),
asked before every attempt.
"""

_LONGEST_BODY = 64 * 1024
_MOST_COOKIES = 50
_LARGEST_COOKIE = 4096


class TokenRequest:
    """
    Buys tokens from one token route.

    :param reactor: for the connection and the deadline.
    :param url: the token route, without a query.
    :param authentication: see :data:`Authentication`.
    :param headers: sent along.
    :param timeout: seconds for everything: asking ``authentication``, the connection,
        the answer's headers and its body.
    :param tls: decides on certificates.
    :param agent: sends the request instead of an ``Agent`` on ``reactor``.
    :ivar cookies: what the route set; it goes with the next request.
    """

    def __init__(
        self,
        reactor: Any,
        url: str,
        authentication: Authentication,
        *,
        headers: Mapping[str, str],
        timeout: float,
        tls: IPolicyForHTTPS | None = None,
        agent: IAgent | None = None,
    ) -> None:
        if not callable(authentication):
            encode_credentials(authentication)  # a mistake is reported now, not at connect
        self._reactor = reactor
        self._url = url
        self._authentication = authentication
        self._headers = Headers({name: [value] for name, value in headers.items()})
        self._headers.setRawHeaders("Accept", ["application/json"])
        self._timeout = timeout
        self.cookies = IndexableCookieJar()
        self._connections: list[Protocol] = []
        if agent is None:
            pool = HTTPConnectionPool(reactor, persistent=False)
            pool._factory = partial(_Factory, self._connections)  # type: ignore[assignment]
            policy = tls or BrowserLikePolicyForHTTPS()
            agent = Agent(reactor, policy, connectTimeout=timeout, pool=pool)
        self._client = HTTPClient(agent, cookiejar=self.cookies)

    def __repr__(self) -> str:
        return f"<TokenRequest to {self._url}>"

    def send(self) -> Deferred[str]:
        """
        Ask for a token.

        :return: fires with the token.  Fails with a
            :class:`~txtokensock.errors.TokenError`, or with
            :class:`~txtokensock.errors.AttemptTimeout` when the deadline is over.
            Cancelling it drops the request.
        """

        def timed_out(*_: object) -> Failure:
            return Failure(AttemptTimeout("token", self._timeout))

        return Deferred.fromCoroutine(self._send()).addTimeout(
            self._timeout, self._reactor, timed_out
        )

    def cookie_header(self, url: str) -> str:
        """The ``Cookie`` header that a browser would send to ``url`` now, or nothing."""
        request = Request(url)
        self.cookies.add_cookie_header(request)
        return request.get_header("Cookie") or ""

    async def _send(self) -> str:
        query = await self._credentials()
        try:
            # The originals always append the question mark.
            response = await self._client.get(
                _URI.from_text(f"{self._url}?{query}"),
                headers=self._headers,
                allow_redirects=False,
                unbuffered=True,
            )
            body = await _read(response)
        except (TokenError, CancelledError):
            raise
        except Exception as problem:
            raise TokenUnreachable(
                f"cannot reach the token route {self._url}: {_reason(problem)}"
            ) from None  # the cause may quote the query, which is secret
        finally:
            self._drop_connections()
            self._drop_cookies()
        return self._token(response, body)

    def _drop_connections(self) -> None:
        """Twisted closes in order, and with TLS waits until the server does so, too."""
        while self._connections:
            transport: Any = self._connections.pop().transport
            if transport is not None:
                transport.abortConnection()

    def _drop_cookies(self) -> None:
        """
        Keep what a browser keeps, see RFC 6265 section 6.1: a header that grew with every
        cookie of another name would be refused one day, and then for ever.
        """
        for cookie in list(self.cookies):
            if len(cookie.name) + len(cookie.value or "") > _LARGEST_COOKIE:
                self.cookies.clear(cookie.domain, cookie.path, cookie.name)
        for cookie in list(self.cookies)[:-_MOST_COOKIES]:
            self.cookies.clear(cookie.domain, cookie.path, cookie.name)

    async def _credentials(self) -> str:
        if not callable(self._authentication):
            return encode_credentials(self._authentication)
        try:
            return encode_credentials(await self._ask(self._authentication))
        except CancelledError:
            raise
        except InvalidOption as problem:
            raise CredentialsUnavailable(str(problem)) from problem
        except Exception as problem:
            raise CredentialsUnavailable(
                f"authentication() raised {type(problem).__name__}"
            ) from problem

    def _ask(self, authentication: Callable[[], Any]) -> Deferred[Any]:
        """
        Call ``authentication`` in a turn of its own, for it may stop the client, which must
        not meet that in the middle of starting an attempt.  Cancelling does not wait for
        it: a coroutine that catches what cancels it goes on for itself.
        """
        asked: Deferred[Any] | None = None

        def ask() -> None:
            nonlocal asked
            asked = maybeDeferred(authentication)
            asked.addBoth(done)
            if answer.called:
                asked.cancel()

        def done(outcome: Any) -> None:
            if not answer.called:
                answer.callback(outcome)

        def cancel(_: object) -> None:
            answer.errback(CancelledError())
            if call.active():
                call.cancel()
            elif asked is not None:
                asked.cancel()

        answer: Deferred[Any] = Deferred(cancel)
        call = self._reactor.callLater(0, ask)
        return answer

    def _token(self, response: IResponse, body: bytes) -> str:
        status = response.code
        if status in (401, 403):
            raise TokenRefused(f"the token route {self._url} refused us: {status}", status)
        if status != 200:
            where = response.headers.getRawHeaders(b"location", [b""])[0]
            target = where.partition(b"?")[0].decode("ascii", "replace")
            hint = f" to {shorten(target)}: use that address" if target else ""
            raise TokenServerError(f"the token route {self._url} answered {status}{hint}", status)
        kind = response.headers.getRawHeaders(b"content-type", [b""])[0].decode("ascii", "replace")
        if "json" not in kind.lower():
            raise TokenInvalid(
                f"the token route {self._url} answered with {shorten(kind) or 'no content type'},"
                " not JSON: is this a token-sockjs server?"
            )
        try:
            answer = loads(body)
        except Malformed as problem:
            raise TokenInvalid(
                f"the token route {self._url} answered with broken JSON: {problem}"
            ) from None
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise TokenInvalid(f"the token route {self._url} answered without a token")
        return token


class _Factory(HTTPConnectionPool._factory):  # type: ignore[misc,valid-type]
    """
    Twisted's, without the two lines that each request would write to the log.

    :param connections: where every protocol is noted.
    """

    noisy = False

    def __init__(self, connections: list[Protocol], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connections = connections

    def buildProtocol(self, addr: IAddress) -> Any:
        protocol = super().buildProtocol(addr)
        self._connections.append(protocol)
        return protocol


class _URI(EncodedURL):
    """
    A URL that needs no conversion: treq passes its host to IDNA, which refuses IPv6.
    """

    def to_uri(self) -> EncodedURL:
        """Itself."""
        return self


def _reason(problem: Exception) -> str:
    """What went wrong, without the URL that some of these errors quote."""
    if isinstance(problem, ResponseFailed) and problem.reasons:
        return _reason(problem.reasons[0].value)
    return explain(problem)


def _read(response: IResponse) -> Deferred[bytes]:
    body = _Body()
    response.deliverBody(body)
    return body.whole


class _Body(Protocol):
    """Collects a body, within bounds; cancelling ``whole`` drops the connection."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self.whole: Deferred[bytes] = Deferred(lambda _: self.drop())

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= _LONGEST_BODY:
            self._parts.append(data)
        elif not self.whole.called:
            self.whole.errback(TokenInvalid("the token route answered more than 64 KiB"))
            self.drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)

    def drop(self) -> None:
        """Close the connection."""
        # All that twisted.web gives a body for a transport can pause and lose it.
        if self.transport is not None:
            self.transport.loseConnection()
