"""
The server's calls, each answered with what a webhook answers.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList

from ...errors import ActionError, InvalidData
from ...jsontext import Malformed, dumps, loads
from ..config.webhooks import CallRule
from ..counters import Counters
from ..error_table import ErrorKind, action_error, classify
from .target import Target
from .webhook_requests import Requests, WebhookResponse, WebhookUnreachable, new_id

__all__ = ["WebhookCalls"]

SIDE = "webhooks"


@define(eq=False, repr=False)
class WebhookCalls:
    """
    The action of one rule.  It is tried once, within the rule's timeout: whoever called
    is there, and knows best whether to call again.

    :param new_id: makes the id of a delivery.
    """

    _rule: CallRule
    _target: Target
    _requests: Requests
    _counters: Counters
    failing: str | None = field(init=False, default=None)
    _running: set[Deferred[WebhookResponse]] = field(init=False, factory=set)

    def __call__(self, data: Any = None) -> Deferred[Any]:
        """
        :return: fires with what the webhook answered; fails with an
            :class:`~txtokensock.errors.ActionError` that says why not.
        """
        return Deferred.fromCoroutine(self._call(data))

    def __repr__(self) -> str:
        return f"the webhooks call rule {self._rule.rule!r}"

    def replace(self, rule: CallRule, target: Target) -> None:
        """Go on with a rule of the same name; what is in flight is not concerned."""
        self._rule = rule
        self._target = target

    def stop(self) -> Deferred[Any]:
        """:return: fires when no call is in flight."""
        return DeferredList(list(self._running), consumeErrors=True)

    def abandon(self) -> None:
        """Answer the calls that are in flight with an error."""
        for request in list(self._running):
            request.cancel()

    async def _call(self, data: Any) -> Any:
        name = self._rule.rule
        self._counters.count(SIDE, name, "in")
        try:
            result = await self._ask(data)
        except ActionError:
            self._counters.count(SIDE, name, "refused")
            raise
        self._counters.count(SIDE, name, "out")
        return result

    async def _ask(self, data: Any) -> Any:
        if len(self._running) >= self._rule.concurrency:
            raise _error(ErrorKind.TOO_MANY_REQUESTS, "too many calls at once")
        try:
            body = dumps({"action": self._rule.action, "data": data})
        except InvalidData as problem:
            raise _error(ErrorKind.INVALID_ARGUMENT, str(problem)) from None
        request = self._requests.send(
            self._target, new_id(), body, headers=self._target.headers_of(data)
        )
        self._running.add(request)
        try:
            answer = await request
        except WebhookUnreachable as problem:
            self.failing = str(problem)
            raise _error(
                classify(problem).kind, f"the webhook gave no answer: {problem}"
            ) from None
        except CancelledError:
            raise _error(ErrorKind.CANCELED, "the bridge stopped before the answer") from None
        finally:
            self._running.discard(request)
        self.failing = f"answered {answer.status}" if answer.status >= 500 else None
        return _result(answer)


def _result(answer: WebhookResponse) -> Any:
    """
    :raises ActionError: for any status but success, and for what cannot be passed on.
    """
    if not answer.whole:
        raise _error(ErrorKind.INVALID_PAYLOAD, "the webhook answered more than 1 MiB")
    try:
        content = _content(answer)
    except ActionError:
        if 200 <= answer.status < 300:
            raise
        content = None
    if 200 <= answer.status < 300:
        return content
    text = f"the webhook answered {answer.status}"
    raise _error(ErrorKind.REMOTE, text, status=answer.status, data=content)


def _error(kind: ErrorKind, message: str, **more: Any) -> ActionError:
    return ActionError(action_error(kind, message, **more))


def _content(answer: WebhookResponse) -> Any:
    """JSON as what it says, other text as text, nothing as None."""
    if not answer.body:
        return None
    if "json" in answer.content_type:
        try:
            return loads(answer.body)
        except Malformed as problem:
            raise _error(
                ErrorKind.INVALID_PAYLOAD, f"the webhook did not answer with valid JSON: {problem}"
            ) from None
    try:
        return answer.body.decode()
    except UnicodeDecodeError:
        raise _error(
            ErrorKind.INVALID_PAYLOAD, "the webhook answered neither JSON nor text"
        ) from None
