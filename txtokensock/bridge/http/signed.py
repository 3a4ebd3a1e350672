"""
Signed requests as Crossbar's HTTP bridge has them, each of which is taken once.

The query holds ``key``, ``timestamp``, ``seq``, ``nonce`` and ``signature``, which is
base64, with ``-`` and ``_``, of the HMAC-SHA256 of ``key | timestamp | seq | nonce | body``,
one behind the other with nothing between them.

Source: Crossbar's documentation, "HTTP Bridge Publisher", "Signed Requests".
"""

from __future__ import annotations

import heapq
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from .api_requests import bad_request
from .replay_file import ReplayFile

__all__ = ["PARAMETERS", "Replays", "SignedRequest"]

PARAMETERS = ("key", "timestamp", "seq", "nonce", "signature")

_NUMBER = re.compile(rb"[0-9]{1,20}")
_TIMESTAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """
    What a request says of itself; nothing of it is known to be true before
    :meth:`is_by`.

    :ivar key: who it says that it is from.
    :ivar time: at which it says it was signed, in seconds since the epoch.
    """

    key: bytes
    time: float
    _message: bytes
    _signature: bytes

    @classmethod
    def read(cls, query: Mapping[bytes, Sequence[bytes]], body: bytes) -> SignedRequest:
        """
        :param query: of the URL, decoded.
        :raises Refusal: 400, with the reason.
        """
        values = []
        for name in PARAMETERS:
            given = query.get(name.encode(), [])
            if len(given) != 1:
                raise bad_request(f"a signed request has one {name!r} in its query")
            values.append(given[0])
        key, timestamp, seq, nonce, signature = values
        for name, number in (("seq", seq), ("nonce", nonce)):
            if not _NUMBER.fullmatch(number):
                raise bad_request(f"{name} must be a whole number")
        message = key + timestamp + seq + nonce + body
        return cls(key, _seconds(timestamp), message, signature)

    def digest(self, secret: bytes) -> bytes:
        """What the signature of that message is, with that secret."""
        return hmac.digest(secret, self._message, "sha256")

    def is_by(self, digest: bytes) -> bool:
        """Whether it was signed so; the time that takes does not depend on the answer."""
        return hmac.compare_digest(urlsafe_b64encode(digest), self._signature)


def _seconds(timestamp: bytes) -> float:
    if _TIMESTAMP.fullmatch(timestamp):
        try:
            return datetime.fromisoformat(timestamp.decode("ascii")).timestamp()
        except ValueError:
            pass
    raise bad_request("timestamp must be UTC, like 2011-10-14T16:59:51.123Z")


class Replays:
    """
    Remembers the signed requests that came, so that none comes twice.

    What counts is the signature: nothing stands between the numbers that it covers, so
    that other values of ``seq`` and ``nonce`` can have the same.  Whatever is forgotten is
    too old to come again: nothing is taken that was signed before what was forgotten last.

    :param limit: requests of each key that are remembered.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._floor = -inf
        self._limit = limit
        self._keys: dict[bytes, _Seen] = {}
        self._file: ReplayFile | None = None

    def keep(self, file: ReplayFile) -> None:
        """
        Remember what the file holds, and from now on write there what is taken.

        :raises InvalidOption: if it cannot be used.
        """
        for key, digest, time in file.open():
            self._seen(key).remember(digest, time, self._limit)
        self._file, self._floor = file, file.floor
        for seen in self._keys.values():
            seen.floor = max(seen.floor, self._floor)

    def close(self) -> None:
        """Leave the file to another bridge; see :meth:`keep`."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    @property
    def kept(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    def _seen(self, key: bytes) -> _Seen:
        return self._keys.setdefault(key, _Seen(self._floor))

    def is_new(self, key: bytes, digest: bytes, time: float, oldest: float) -> bool:
        """
        Whether this one can be taken; then it is remembered.

        :param oldest: anything before this time is refused anyway, and can be forgotten.
        :raises OSError: if it cannot be written; then it is not taken.
        """
        seen = self._seen(key)
        seen.forget(oldest)
        if time <= seen.floor or digest in seen.digests:
            return False
        if self._file is not None:
            self._file.append(key, digest, time, oldest)
        seen.remember(digest, time, self._limit)
        return True


class _Seen:
    """
    Of one key.

    :ivar floor: only what is later is new.
    """

    def __init__(self, floor: float) -> None:
        self.floor = floor
        self.digests: set[bytes] = set()
        self._by_time: list[tuple[float, bytes]] = []

    def forget(self, before: float) -> None:
        while self._by_time and self._by_time[0][0] < before:
            self._forget_oldest()

    def remember(self, digest: bytes, time: float, limit: int) -> None:
        self.digests.add(digest)
        heapq.heappush(self._by_time, (time, digest))
        if len(self.digests) > limit:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        time, digest = heapq.heappop(self._by_time)
        self.digests.discard(digest)
        self.floor = max(self.floor, time)
