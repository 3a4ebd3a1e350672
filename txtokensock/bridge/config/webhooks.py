"""
``[webhooks]``: channel messages and the server's calls, to HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from twisted.web.iweb import IPolicyForHTTPS

from ...config.numbers import counts, seconds
from ...config.section import Problem, Secret, Section, checked
from ...config.tls import TlsConfig
from ...errors import InvalidOption
from ...messages import check_channel
from ...messages.from_client import check_name
from ...support.overflow import DropPolicy
from .backoff import BackoffConfig, backoff_problems
from .fields import check_field, check_fixed_field, check_url, signing_key

__all__ = ["CallRule", "ChannelRule", "Rule", "WebhooksConfig", "problems"]


class WebhookBackoff(BackoffConfig, frozen=True):
    """``backoff`` of a webhook: the waits between the attempts to deliver a message."""

    first: float = 1.0
    cap: float = 300.0


class Rule(Section, frozen=True, kw_only=True):
    """
    One webhook, and what all of them have.

    :ivar url: where it is; nothing in a message changes it, redirects are not followed.
    :ivar name: of the rule, in logs, metrics and the spool; by default what it listens to.
    :ivar method: of the request, which always has a body.
    :ivar headers: sent with each request; a value may be a secret.
    :ivar allow_headers: names of headers that a message may set, by an object ``headers``
        in its data; by default none.
    :ivar secret: signs each request; None for no signature.
    :ivar previous_secret: signs as well, while receivers change from one to the other.
    :ivar timeout: seconds for one request, from connecting to the end of the answer.
    """

    url: str
    name: str = ""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: dict[str, str | Secret] = {}
    allow_headers: tuple[str, ...] = ()
    secret: Secret | None = None
    previous_secret: Secret | None = None
    timeout: float = 10.0

    @property
    def rule(self) -> str:
        """The rule's name, given or made."""
        raise NotImplementedError


class ChannelRule(Rule, frozen=True, kw_only=True):
    """
    Messages of channels, delivered in order, each until it is accepted.

    :ivar channels: of these, in one order.
    :ivar backoff: before each retry; only ``Retry-After`` of the webhook can ask for more
        than its ``cap``, for a day at most.
    :ivar give_up_after: seconds in the spool after which a message that fails once more
        becomes a dead letter.
    :ivar attempts: after so many it becomes one too; None for no such limit.
    :ivar overflow: which message is lost when the spool is full: the one that comes
        (``drop-newest``), or the one that waits longest (``drop-oldest``).
    :ivar spool_messages: how many may wait.
    :ivar spool_bytes: how many bytes of bodies may wait.
    :ivar dead_letters: how many of them are kept; the oldest makes room.
    """

    channels: tuple[str, ...]
    backoff: WebhookBackoff = WebhookBackoff()
    give_up_after: float = 86_400.0
    attempts: int | None = None
    overflow: DropPolicy = "drop-newest"
    spool_messages: int = 100_000
    spool_bytes: int = 256 * 1024 * 1024
    dead_letters: int = 10_000

    @property
    def rule(self) -> str:
        return self.name or "+".join(self.channels)


class CallRule(Rule, frozen=True, kw_only=True):
    """
    Calls of the server, each answered with what the webhook answers.

    :ivar action: the name that the server calls; dots nest.
    :ivar concurrency: how many may run at once; more are answered with an error.
    """

    action: str
    concurrency: int = 100

    @property
    def rule(self) -> str:
        return self.name or self.action


class WebhooksConfig(Section, frozen=True, kw_only=True):
    """
    ``[webhooks]``.

    :ivar spool: the database in which messages wait; its directory must exist.
    :ivar channels: ``[[webhooks.channels]]``, see :class:`ChannelRule`.
    :ivar calls: ``[[webhooks.calls]]``, see :class:`CallRule`.
    :ivar tls: how certificates of webhooks are checked, and what we show for one.
    :ivar stop_timeout: seconds for what is in flight when the bridge stops.
    """

    spool: str | None = None
    channels: tuple[ChannelRule, ...] = ()
    calls: tuple[CallRule, ...] = ()
    tls: TlsConfig | None = None
    stop_timeout: float = 5.0

    def policy(self) -> IPolicyForHTTPS | None:
        """
        What decides on certificates; None for the default.

        :raises InvalidOption: if a file of it cannot be used.
        """
        return None if self.tls is None else self.tls.policy()


def problems(section: WebhooksConfig, path: str) -> Iterator[Problem]:
    """
    What types alone cannot find.

    :param path: where the section is, such as ``webhooks``.
    """
    yield from seconds(section, path, "stop_timeout")
    yield from checked(f"{path}.tls", section.policy)
    if section.channels and section.spool is None:
        yield Problem(f"{path}.spool", "is needed: it is where messages of channels wait")
    if section.spool is not None and not Path(section.spool).absolute().parent.is_dir():
        yield Problem(f"{path}.spool", f"{section.spool!r} is in no existing directory")
    names: dict[str, str] = {}
    for number, rule in enumerate(section.channels):
        here = f"{path}.channels[{number}]"
        yield from _channel_rule(rule, here)
        yield from _unique(names, rule.rule, "the name", here)
    actions: dict[str, str] = {}
    for number, call in enumerate(section.calls):
        here = f"{path}.calls[{number}]"
        yield from _call_rule(call, here)
        yield from _unique(names, call.rule, "the name", here)
        yield from _unique(actions, call.action, "the action", f"{here}.action")
    yield from _nested(actions)


def _unique(seen: dict[str, str], value: str, what: str, path: str) -> Iterator[Problem]:
    if value in seen:
        yield Problem(path, f"has {what} {value!r}, as {seen[value].removesuffix('.action')} has")
    seen.setdefault(value, path)


def _nested(actions: dict[str, str]) -> Iterator[Problem]:
    """An action cannot be a function and hold others."""
    for action, path in actions.items():
        for outer in actions:
            if action.startswith(f"{outer}."):
                yield Problem(path, f"{action!r} cannot be within {outer!r}, an action itself")


def _channel_rule(rule: ChannelRule, path: str) -> Iterator[Problem]:
    if not rule.channels:
        yield Problem(f"{path}.channels", "is empty: name at least one channel")
    for number, channel in enumerate(rule.channels):
        yield from checked(f"{path}.channels[{number}]", check_channel, channel)
        if channel in rule.channels[:number]:
            yield Problem(f"{path}.channels[{number}]", f"{channel!r} is named twice")
    yield from backoff_problems(rule.backoff, f"{path}.backoff")
    if rule.backoff.first > rule.backoff.cap:
        yield Problem(f"{path}.backoff.first", "is longer than backoff.cap")
    yield from seconds(rule, path, "give_up_after")
    yield from counts(rule, path, "attempts", "spool_messages", "spool_bytes", "dead_letters")
    yield from _webhook(rule, path)


def _call_rule(rule: CallRule, path: str) -> Iterator[Problem]:
    yield from checked(f"{path}.action", _check_action, rule.action)
    yield from counts(rule, path, "concurrency")
    yield from _webhook(rule, path)


def _check_action(action: str) -> None:
    check_name(action)
    if not all(action.split(".")):
        raise InvalidOption(f"{action!r} has an empty part")


def _webhook(rule: Rule, path: str) -> Iterator[Problem]:
    if "\n" in rule.name or len(rule.name) > 200:
        yield Problem(f"{path}.name", "must be one line of at most 200 characters")
    yield from checked(f"{path}.url", check_url, rule.url)
    yield from seconds(rule, path, "timeout")
    for name, value in rule.headers.items():
        yield from checked(f"{path}.headers.{name}", check_fixed_field, name, value)
    fixed = {name.lower() for name in rule.headers}
    for number, name in enumerate(rule.allow_headers):
        yield from checked(f"{path}.allow_headers[{number}]", _check_allowed, name, fixed)
    yield from _secrets(rule, path)


def _check_allowed(name: str, fixed: set[str]) -> None:
    check_field(name)
    if name.lower() in fixed:
        raise InvalidOption(f"{name!r} is fixed by headers: a message cannot set it")


def _secrets(rule: Rule, path: str) -> Iterator[Problem]:
    for field in ("secret", "previous_secret"):
        secret: Secret | None = getattr(rule, field)
        if secret is not None:
            yield from checked(f"{path}.{field}", _check_secret, secret)
    if rule.previous_secret is not None and rule.secret is None:
        yield Problem(f"{path}.previous_secret", "needs a secret beside it")


def _check_secret(secret: Secret) -> None:
    signing_key(secret.reveal())
