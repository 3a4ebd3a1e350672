"""
API keys: which caller sends a request, and what that caller may do.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, fields, frozen
from twisted.logger import Logger

from ...address import is_loopback
from ...web.server.hosts import host_name
from ...web.server.origins import OriginPolicy
from ..config.http import HttpConfig, KeyConfig
from ..error_table import ErrorKind
from .key_patterns import KeyPatterns
from .responses import Refusal, unavailable
from .signed import PARAMETERS, Replays, SignedRequest

__all__ = ["ApiKeys", "Caller"]

_OWN_PAGES = OriginPolicy(None, option='authentication = "none"')

_CHALLENGE = (("www-authenticate", "Bearer"),)


@frozen(eq=False)
class Caller:
    """
    A caller whose key is known.

    :ivar name: of their key.
    :ivar channels: they may publish to and listen to.
    :ivar procedures: they may call.
    """

    name: str
    channels: KeyPatterns = field(converter=KeyPatterns)
    procedures: KeyPatterns = field(converter=KeyPatterns)
    broadcast: bool
    metrics: bool
    concurrency: int
    streams: int

    @classmethod
    def of(cls, key: KeyConfig) -> Caller:
        """Who has this key."""
        return cls(*(getattr(key, each.name) for each in fields(cls)))

    def may(self, route: str, name: str) -> bool:
        """Whether they may ``call``, ``publish`` to, or ``broadcast`` what has that name."""
        if route == "broadcast":
            return self.broadcast
        return name in (self.procedures if route == "call" else self.channels)


@frozen
class _Key:
    """A key with its secrets; of a bearer only their digests are kept."""

    caller: Caller = field(eq=False)
    config: KeyConfig
    secrets: list[bytes] = field(repr=False)


class ApiKeys:
    """
    The keys of one configuration.

    :param section: checked; its secrets are read now.
    :param replays: remembers signed requests, also across configurations.
    :raises InvalidOption: if a secret cannot be read.
    """

    _log = Logger()

    def __init__(self, section: HttpConfig, replays: Replays) -> None:
        self._open = section.authentication == "none"
        self._hosts = frozenset(name.lower() for name in section.hosts)
        self._tolerance = section.signature_tolerance
        self._replays = replays
        self._everybody = Caller(
            "anybody", ("*",), ("*",), True, True, section.concurrency, section.streams
        )
        self._bearers: list[_Key] = []
        self._signers: dict[bytes, _Key] = {}
        for key in section.keys:
            caller, secrets = Caller.of(key), [secret.encode() for secret in key.secrets()]
            if key.scheme == "bearer":
                digests = [_digest(secret) for secret in secrets]
                self._bearers.append(_Key(caller, key, digests))
            else:
                self._signers[key.name.encode()] = _Key(caller, key, secrets)

    def caller(self, request: Any, body: bytes, now: float) -> Caller:
        """
        :param request: Twisted's.
        :param now: seconds since the epoch.
        :raises Refusal: 401 where the request shows no key that is known, 400 where it is
            signed and something is missing, 403 where no key is needed but the request
            may be a web page's.
        """
        if self._open:
            # A page's script may ask for a name that leads to us since a moment ago: it cannot
            # make its browser say another name than that.
            name = host_name(request.getHeader("host") or "")
            if name not in self._hosts and not is_loopback(name):
                raise Refusal(
                    ErrorKind.NOT_AUTHORIZED,
                    "the request was made to another host: use a key, or name the host in"
                    " http.hosts",
                )
            if not _OWN_PAGES.allow(request):
                raise Refusal(
                    ErrorKind.NOT_AUTHORIZED,
                    "the request comes from a web page of another origin: use a key",
                )
            return self._everybody
        bearer = request.getHeader("authorization")
        if bearer is not None:
            return self._of_bearer(bearer)
        if any(name.encode() in request.args for name in PARAMETERS):
            return self._of_signature(request.args, body, now)
        raise _unauthorized("no key: send one as 'Authorization: Bearer ...', or sign the request")

    def same(self, other: ApiKeys, name: str) -> bool:
        """Whether the key of that name is what it is for ``other``, its secrets included."""
        return self._open == other._open and self._named(name) == other._named(name)

    def _named(self, name: str) -> _Key | None:
        keys = (*self._bearers, *self._signers.values())
        return next((key for key in keys if key.caller.name == name), None)

    def _of_bearer(self, header: str) -> Caller:
        scheme, _, secret = header.partition(" ")
        given = _digest(secret.strip().encode("utf-8", "surrogateescape"))
        found = None
        # All of them, always: how long it takes says nothing about any.
        for key in self._bearers:
            if sum(hmac.compare_digest(given, secret) for secret in key.secrets):
                found = key.caller
        if found is None or scheme.lower() != "bearer":
            raise _unauthorized("the key is not known")
        return found

    def _of_signature(
        self, query: Mapping[bytes, Sequence[bytes]], body: bytes, now: float
    ) -> Caller:
        signed = SignedRequest.read(query, body)
        key = self._signers.get(signed.key)
        valid = None
        # An unknown key takes as long as a known one.
        for secret in key.secrets if key is not None else [b"nobody's"]:
            digest = signed.digest(secret)
            if signed.is_by(digest):
                valid = digest
        if key is None or valid is None:
            raise _unauthorized("the key is not known, or the signature is not its")
        if abs(signed.time - now) > self._tolerance:
            raise _unauthorized(f"signed more than {self._tolerance:g} seconds from now")
        try:
            new = self._replays.is_new(signed.key, valid, signed.time, now - self._tolerance)
        except OSError as problem:
            reason = problem.strerror
            self._log.error(
                "a signed request is refused, for it cannot be remembered: {reason}",
                event="http.replays_failed",
                reason=reason,
            )
            raise unavailable(f"the signed request cannot be remembered: {reason}") from None
        if not new:
            raise _unauthorized("this request came before, or is older than what is remembered")
        return key.caller


def _digest(secret: bytes) -> bytes:
    """Of one length, so that comparing does not say how long the secret is."""
    return hashlib.sha256(secret).digest()


def _unauthorized(reason: str) -> Refusal:
    return Refusal(ErrorKind.AUTHENTICATION_FAILED, reason, headers=_CHALLENGE)
