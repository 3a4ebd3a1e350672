"""
The token request: an HTTP GET that buys one token.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.web.iweb import IResponse

from ..address import shown_url
from ..errors import (
    ConnectionFailed,
    CredentialsUnavailable,
    InvalidOption,
    ProxyRefused,
    TLSFailed,
    TokenError,
    TokenInvalid,
    TokenRefused,
    TokenServerError,
    TokenUnreachable,
    is_error,
    shorten,
)
from ..jsontext import Malformed, loads
from ..support.checks import check_callable
from ..support.providers import AnyAgent
from ..support.user_functions import call_in_next_turn
from ..web.client.content_coding import CompressedResponse
from ..web.client.http_client import BodyTooLong, read_body
from ..web.client.http_context import HTTPContext
from ..web.client.retry_after import retry_after_of
from ..web.tls.policy import explain, tls_failure
from .credentials import encode_credentials, without_credentials

__all__ = ["Authentication", "TokenRequest"]

Authentication: TypeAlias = Mapping[str, Any] | Callable[[], Any]
"""
Credentials, or a function that gives them (or a Deferred or coroutine of them),
asked before every attempt.
"""

_LONGEST_BODY = 64 * 1024


class TokenRequest:
    """
    Buys tokens from one token route.

    :param http_context: sends the request, and keeps the cookies that the route sets.
    :param url: the token route, without a query.
    :param authentication: see :data:`Authentication`.
    :param agent: sends the request instead of an ``Agent`` on the http_context.
    """

    def __init__(
        self,
        http_context: HTTPContext,
        url: str,
        authentication: Authentication,
        *,
        agent: AnyAgent | None = None,
    ) -> None:
        # A mistake is reported now, not at connect.
        if callable(authentication):
            check_callable("authentication", authentication)
        else:
            encode_credentials(authentication)
        self._http_context = http_context
        self._url = url
        self._authentication = authentication
        self._agent = agent

    def __repr__(self) -> str:
        return f"<TokenRequest to {self._url}>"

    def send(self, headers: Mapping[str, str]) -> Deferred[str]:
        """
        Ask for a token.

        :param headers: sent along, with the cookies that belong there.
        :return: fires with the token.  Fails with a
            :class:`~txtokensock.errors.TokenError`,
            :class:`~txtokensock.errors.TLSFailed` or
            :class:`~txtokensock.errors.ProxyRefused`; it has no deadline of its own.
            Cancelling it drops the request.
        """
        return Deferred.fromCoroutine(self._send(headers))

    async def _send(self, headers: Mapping[str, str]) -> str:
        query = await self._credentials()
        client = self._http_context.client(agent=self._agent)
        try:
            response = await client.request(
                "GET",
                f"{self._url}?{query}" if query else self._url,
                headers={
                    **self._http_context.with_cookies(headers, self._url),
                    "Accept": "application/json",
                },
            )
            if response.code != 200:
                raise self._refusal(response, await _reason(response), query, headers)
            body = await read_body(response, _LONGEST_BODY)
        except (TokenError, CancelledError):
            raise
        except BodyTooLong:
            raise TokenInvalid("the token route answered more than 64 KiB") from None
        except CompressedResponse as problem:
            raise TokenInvalid(f"the token route {self._url}: {problem}") from None
        except Exception as problem:
            raise self._unreachable(problem) from None  # the cause may quote the query
        finally:
            client.abort()
        return self._token(response, body)

    def _unreachable(self, problem: Exception) -> ConnectionFailed:
        what = f"cannot reach the token route {self._url}"
        if isinstance(problem, ProxyRefused):
            return ProxyRefused(f"{what}: {problem}", problem.status, "token")
        if isinstance(problem, TLSFailed):  # with a proxy
            return TLSFailed(f"{what}: {problem}", "token", permanent=problem.permanent)
        failed = tls_failure(problem, "token", what)
        hung_up = isinstance(problem, ConnectionDone | ConnectionLost)
        hint = self._hint if hung_up else ""
        return failed or TokenUnreachable(f"{what}: {explain(problem)}{hint}")

    @property
    def _hint(self) -> str:
        """Servers that expect TLS hang up without a word, or answer 400."""
        return " (is it https:// there?)" if self._url.startswith("http://") else ""

    async def _credentials(self) -> str:
        if not callable(self._authentication):
            return encode_credentials(self._authentication)
        try:
            return encode_credentials(
                await call_in_next_turn(self._http_context.reactor, self._authentication)
            )
        except CancelledError:
            raise
        except InvalidOption as problem:
            raise CredentialsUnavailable(str(problem)) from problem
        except Exception as problem:
            raise CredentialsUnavailable(
                f"authentication() raised {type(problem).__name__}"
            ) from problem

    def _refusal(
        self, response: IResponse, reason: Any, query: str, headers: Mapping[str, str]
    ) -> TokenError:
        """:param reason: what the route gave for one, or None."""
        status, wait = response.code, retry_after_of(response)
        where = response.headers.getRawHeaders(b"location", [b""])[0]
        target = shown_url(where.decode("ascii", "replace"))
        try:
            target, reason = without_credentials([target, reason], query, headers)
        except RecursionError:
            target, reason = "", None
        if status in (401, 403):
            asked = f"{'with' if query else 'without'} authentication= (--auth)"
            text = f"the token route {self._url}, {asked}, refused us: {status}"
            return TokenRefused(text, status, wait, reason)
        text = f"the token route {self._url} answered {status}{self._advice(status, target)}"
        return TokenServerError(text, status, wait, reason)

    def _advice(self, status: int, target: str) -> str:
        """What to make of a status; a redirect may also lead to a page for people."""
        if target:
            advice = ": use that address" if status in (301, 308) else ", which is not followed"
            return f" to {shorten(target)}{advice}"
        if status == 404:
            return ": is a token-sockjs server at that host, port and path (token_path)?"
        return self._hint if status == 400 else ""

    def _token(self, response: IResponse, body: bytes) -> str:
        kind = response.headers.getRawHeaders(b"content-type", [b""])[0].decode("ascii", "replace")
        typed = "json" in kind.lower()
        if not typed and kind.partition(";")[0].strip().lower() not in ("", "text/plain"):
            raise TokenInvalid(
                f"the token route {self._url} answered with {shorten(kind)},"
                " not JSON: is this a token-sockjs server?"
            )
        try:
            answer = _json(body)
        except Malformed as problem:
            hint = "" if typed else ": is this a token-sockjs server?"
            raise TokenInvalid(
                f"the token route {self._url} answered with broken JSON: {problem}{hint}"
            ) from None
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise TokenInvalid(f"the token route {self._url} answered without a token")
        return token


def _json(body: bytes) -> Any:
    """What a body holds, of which browsers pass over a byte order mark."""
    return loads(body.removeprefix(BOM_UTF8))


async def _reason(response: IResponse) -> Any:
    """
    The ``error`` of a refusal, or all of its JSON but a token; None where it cannot be read.
    The status says that it is a refusal, whatever becomes of the body: also where this is
    cancelled.
    """
    try:
        answer = _json(await read_body(response, _LONGEST_BODY))
    except Exception:
        return None
    if isinstance(answer, dict):
        answer.pop("token", None)
    reason = answer.get("error") if isinstance(answer, dict) and "error" in answer else answer
    return reason if is_error(reason) else None
