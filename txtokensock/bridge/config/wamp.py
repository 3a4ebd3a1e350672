"""
``[wamp]``: the WAMP router, and what goes between it and the token-sockjs server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import combinations
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from ...actions import check_actions, names_overlap
from ...config.numbers import counts, seconds
from ...config.section import Problem, Secret, Section, checked
from ...config.tls import TlsConfig
from ...errors import InvalidOption
from ...messages import check_channel
from ...messages.from_client import check_name
from ...support.patterns import Pattern, pattern_problem
from .backoff import BackoffConfig, backoff_problems

__all__ = [
    "ActionRule",
    "Arguments",
    "CallRule",
    "ChannelRule",
    "JsonText",
    "WampAuthentication",
    "WampConfig",
    "WampRules",
    "problems",
    "rule_problems",
]

Arguments: TypeAlias = Literal["one", "spread"]
JsonText: TypeAlias = Literal["either", "kept", "read"]
Serializer: TypeAlias = Literal["cbor", "msgpack", "json", "ubjson", "flatbuffers"]

_URI = re.compile(r"([^\s.#]+\.)*[^\s.#]+")
_SCHEMES = ("ws", "wss", "rs", "rss")

_LARGEST_MESSAGE = 2**24
"""Bytes: RawSocket counts them with 24 bits."""


class ChannelRule(Section, frozen=True):
    """
    Messages between a channel and a topic, or between all of a prefix: a ``*`` stands for
    the rest of the name, and is filled in on the other side.

    :ivar channel: the channel; ``*`` may stand anywhere in it.
    :ivar topic: the topic; ``*`` may stand at its end.
    :ivar direction: where the messages go.
    :ivar channels: with ``*``: channels that are always taken, besides those whose topic
        somebody subscribes to.
    :ivar arguments: what events hold: the message as their one argument, or a list as
        arguments and an object as keyword arguments (``spread``).
    :ivar name: of the rule; by default ``channel:`` and its channel.
    """

    channel: str
    topic: str
    direction: Literal["to-wamp", "to-upstream", "both"]
    channels: tuple[str, ...] = ()
    arguments: Arguments = "one"
    name: str = ""

    @property
    def rule(self) -> str:
        """The rule's name, given or made."""
        return self.name or f"channel:{self.channel}"

    @property
    def to_wamp(self) -> bool:
        """Whether messages of the channel go to the topic."""
        return self.direction != "to-upstream"

    @property
    def to_upstream(self) -> bool:
        """Whether events of the topic go to the channel."""
        return self.direction != "to-wamp"


class CallRule(Section, frozen=True):
    """
    A procedure that calls a function of the server; see :class:`ChannelRule` for ``*``.

    :ivar procedure: what WAMP callers call; ``*`` may stand at its end.
    :ivar rpc: the function; dots nest.
    :ivar timeout: seconds; None for the upstream's ``call_timeout``.
    :ivar concurrency: calls that the router gives to one bridge at once; None for all.
    :ivar name: of the rule; by default ``call:`` and its procedure.
    """

    procedure: str
    rpc: str
    timeout: float | None = None
    concurrency: int | None = None
    name: str = ""

    @property
    def rule(self) -> str:
        """The rule's name, given or made."""
        return self.name or f"call:{self.procedure}"


class ActionRule(Section, frozen=True):
    """
    An action that calls a WAMP procedure.

    :ivar action: what the server calls; dots nest.
    :ivar procedure: what answers.
    :ivar timeout: seconds.
    :ivar arguments: see :class:`ChannelRule`.
    :ivar name: of the rule; by default ``action:`` and its action.
    """

    action: str
    procedure: str
    timeout: float = 30.0
    arguments: Arguments = "one"
    name: str = ""

    @property
    def rule(self) -> str:
        """The rule's name, given or made."""
        return self.name or f"action:{self.action}"


class WampRules(Section, frozen=True):
    """
    The rules for what is forwarded, in a bridge and in a Crossbar container.

    :ivar channels: ``[[wamp.channels]]``, see :class:`ChannelRule`.
    :ivar calls: ``[[wamp.calls]]``, see :class:`CallRule`.
    :ivar actions: ``[[wamp.actions]]``, see :class:`ActionRule`.
    :ivar lease: a procedure that only one bridge can register: that one forwards the
        channels.  The same for all bridges of one upstream; None for a bridge that is
        the only one.
    :ivar lease_retry: seconds between attempts to get it.
    :ivar queue_limit: messages that may wait in each direction.
    :ivar queue_bytes: bytes of them, while the other side is away.
    :ivar echo_timeout: seconds after which a message that was published on a channel is
        not expected to come back any more.
    :ivar json_text: what the server makes of a published text that is JSON, such as
        ``"12"``: node-token-sockjs reads it (``read``), and so the number 12 comes back;
        ours keeps it (``kept``).  ``either`` expects both.
    :ivar request_timeout: seconds for the router to answer.
    """

    channels: tuple[ChannelRule, ...] = ()
    calls: tuple[CallRule, ...] = ()
    actions: tuple[ActionRule, ...] = ()
    lease: str | None = None
    lease_retry: float = 1.0
    queue_limit: int = 10_000
    queue_bytes: int = 64 * 1024 * 1024
    echo_timeout: float = 30.0
    json_text: JsonText = "either"
    request_timeout: float = 10.0


class WampAuthentication(Section, frozen=True):
    """
    The identity of the bridge at the router.

    :ivar method: the authentication method.
    :ivar authid: the name.
    :ivar secret: the ticket, or WAMP-CRA's secret; read for each attempt.
    """

    method: Literal["ticket", "wampcra"]
    authid: str
    secret: Secret


class WampBackoff(BackoffConfig, frozen=True):
    """``[wamp.backoff]``: the waits between attempts to connect to the router."""

    cap: float = 10.0


class WampConfig(WampRules, frozen=True, kw_only=True):
    """
    ``[wamp]``.

    :ivar url: the router: ``ws://``, ``wss://`` for WebSocket, ``rs://host:port``,
        ``rss://`` for RawSocket.
    :ivar realm: the realm.
    :ivar serializer: how messages are encoded.
    :ivar authentication: see :class:`WampAuthentication`; None for anonymous.
    :ivar tls: for ``wss`` and ``rss``, see "TLS" in :doc:`bridge`.
    :ivar endpoint: a Twisted endpoint string that is connected to instead of the URL's
        host and port, such as ``unix:/run/crossbar.sock``.
    :ivar connect_timeout: seconds until the realm is joined.
    :ivar ping: seconds between pings.
    :ivar ping_timeout: seconds without an answer after which the connection is replaced.
    :ivar backoff: between attempts to connect.
    :ivar max_message_size: bytes of a message from the router.
    :ivar stop_timeout: seconds for what is in flight when the bridge stops.
    """

    url: str
    realm: str
    serializer: Serializer = "cbor"
    authentication: WampAuthentication | None = None
    tls: TlsConfig = TlsConfig()
    endpoint: str | None = None
    connect_timeout: float = 20.0
    ping: float = 10.0
    ping_timeout: float = 10.0
    backoff: WampBackoff = WampBackoff()
    max_message_size: int = _LARGEST_MESSAGE
    stop_timeout: float = 5.0


def problems(section: WampConfig, path: str) -> Iterator[Problem]:
    """What is wrong with ``[wamp]``."""
    yield from _url_problems(section, f"{path}.url")
    if not section.realm or re.search(r"\s", section.realm):
        yield Problem(f"{path}.realm", "must be non-empty text without spaces")
    if section.serializer == "ubjson" and find_spec("bjdata") is None:
        yield Problem(f"{path}.serializer", "ubjson needs the package bjdata, which is missing")
    if section.endpoint is not None and ":" not in section.endpoint:
        yield Problem(
            f"{path}.endpoint", "is not an endpoint: write it as tcp:HOST:PORT or unix:PATH"
        )
    if section.authentication is not None:
        secret = section.authentication.secret
        yield from checked(f"{path}.authentication.secret", secret.reveal)
    yield from checked(f"{path}.tls", section.tls.policy)
    yield from seconds(section, path, "connect_timeout", "ping", "ping_timeout")
    yield from seconds(section, path, "stop_timeout")
    yield from backoff_problems(section.backoff, f"{path}.backoff")
    if not 512 <= section.max_message_size <= _LARGEST_MESSAGE:
        yield Problem(f"{path}.max_message_size", f"must be from 512 to {_LARGEST_MESSAGE}")
    yield from rule_problems(section, path)


def _url_problems(section: WampConfig, path: str) -> Iterator[Problem]:
    try:
        url = urlsplit(section.url)
        port = url.port
    except ValueError as problem:
        yield Problem(path, f"cannot be read: {problem}")
        return
    if url.scheme not in _SCHEMES:
        yield Problem(path, f"must begin with one of {', '.join(f'{s}://' for s in _SCHEMES)}")
    elif not url.hostname:
        yield Problem(path, "names no host")
    elif url.scheme in ("rs", "rss") and port is None and section.endpoint is None:
        yield Problem(path, "names no port, and RawSocket has no usual one")
    if url.username or url.password:
        yield Problem(path, "must hold no credentials: use authentication")


def rule_problems(section: WampRules, path: str) -> Iterator[Problem]:
    """What is wrong with the rules."""
    for index, channel in enumerate(section.channels):
        yield from _channel_problems(channel, f"{path}.channels[{index}]")
    for index, call in enumerate(section.calls):
        yield from _call_problems(call, f"{path}.calls[{index}]")
    for index, action in enumerate(section.actions):
        yield from _action_problems(action, f"{path}.actions[{index}]")
    yield from _conflicts(section, path)
    if section.lease is not None:
        yield from _uri(f"{path}.lease", section.lease)
    yield from seconds(section, path, "lease_retry", "echo_timeout", "request_timeout")
    yield from counts(section, path, "queue_limit", "queue_bytes")
    if section.lease_retry > 4:
        yield Problem(f"{path}.lease_retry", "must be at most 4: a takeover takes 5 seconds")


def _channel_problems(rule: ChannelRule, path: str) -> Iterator[Problem]:
    yield from _pair(path, ("channel", rule.channel), ("topic", rule.topic))
    yield from _uri(f"{path}.topic", rule.topic, pattern=True)
    pattern = Pattern(rule.channel)
    yield from checked(f"{path}.channel", check_channel, rule.channel)
    if rule.channels and (pattern.exact or not rule.to_wamp):
        yield Problem(f"{path}.channels", "has no use here: channel has no *, or nothing goes out")
    for index, channel in enumerate(rule.channels):
        where = f"{path}.channels[{index}]"
        rest = pattern.match(channel)
        if rest is None:
            yield Problem(where, f"{channel!r} does not fit {rule.channel!r}")
        else:
            yield from _uri(where, Pattern(rule.topic).fill(rest))


def _call_problems(rule: CallRule, path: str) -> Iterator[Problem]:
    yield from _pair(path, ("rpc", rule.rpc), ("procedure", rule.procedure))
    yield from _uri(f"{path}.procedure", rule.procedure, pattern=True)
    yield from checked(f"{path}.rpc", check_name, rule.rpc)
    yield from seconds(rule, path, "timeout")
    yield from counts(rule, path, "concurrency")


def _action_problems(rule: ActionRule, path: str) -> Iterator[Problem]:
    yield from _uri(f"{path}.procedure", rule.procedure)
    try:
        for part in rule.action.split("."):
            check_actions({part: lambda: None}, (), "action")
    except InvalidOption:
        yield Problem(f"{path}.action", "must be names, with dots between them")
    yield from seconds(rule, path, "timeout")


def _pair(path: str, upstream: tuple[str, str], wamp: tuple[str, str]) -> Iterator[Problem]:
    """Both with one ``*``, or both without."""
    for name, text in (upstream, wamp):
        problem = pattern_problem(text)
        if problem is not None:
            yield Problem(f"{path}.{name}", problem)
            return
    if ("*" in upstream[1]) != ("*" in wamp[1]):
        yield Problem(path, f"{upstream[0]} and {wamp[0]} must both have a *, or neither")
    elif "*" in wamp[1] and not wamp[1].endswith("*"):
        yield Problem(f"{path}.{wamp[0]}", "may have its * only at the end")


def _uri(path: str, text: str, *, pattern: bool = False) -> Iterator[Problem]:
    if pattern and text == "*":
        yield Problem(path, "may not be * alone, which is every name: write a prefix before it")
    elif not _URI.fullmatch(text):
        yield Problem(path, f"{text!r} is not a URI: names with dots between them, without spaces")
    elif text.startswith("wamp."):
        yield Problem(path, "names below wamp. belong to the router")
    elif "*" in text and not pattern:
        yield Problem(path, "may have no * here")


def _conflicts(section: WampRules, path: str) -> Iterator[Problem]:
    """Two rules that do the same would do it twice; two of one name are counted as one."""
    for kind in ("channels", "calls", "actions"):
        rules = getattr(section, kind)
        for (i, one), (j, other) in combinations(enumerate(rules), 2):
            here, there = f"{path}.{kind}[{j}]", f"{path}.{kind}[{i}]"
            if kind == "channels" and _same_messages(one, other):
                yield Problem(here, f"takes the same messages to the same place as {there}")
            elif kind == "calls" and one.procedure == other.procedure:
                yield Problem(f"{here}.procedure", f"is also that of {there}")
            elif kind == "actions" and names_overlap(one.action, other.action):
                yield Problem(f"{here}.action", f"is in conflict with that of {there}")
    named: dict[str, str] = {}
    for kind in ("channels", "calls", "actions"):
        for index, rule in enumerate(getattr(section, kind)):
            first = named.setdefault(rule.rule, f"{path}.{kind}[{index}]")
            if rule.name and first != f"{path}.{kind}[{index}]":
                yield Problem(f"{path}.{kind}[{index}].name", f"is also the name of {first}")


def _same_messages(one: ChannelRule, other: ChannelRule) -> bool:
    """Whether there is a pair of channel and topic that both are about."""
    return (
        Pattern(one.topic).overlaps(Pattern(other.topic))
        and Pattern(one.channel).overlaps(Pattern(other.channel))
        and _same_rest(one, other)
    )


def _same_rest(one: ChannelRule, other: ChannelRule) -> bool:
    """Whether a topic of both would be the same channel for both."""
    narrower = max(
        (Pattern(one.topic), Pattern(other.topic)),
        key=lambda pattern: (pattern.exact, len(pattern.prefix)),
    )
    topic = narrower.fill("x")
    rests = [Pattern(rule.topic).match(topic) for rule in (one, other)]
    if None in rests:
        return False
    channels = [
        Pattern(rule.channel).fill(rest or "")
        for rule, rest in zip((one, other), rests, strict=True)
    ]
    return channels[0] == channels[1]
