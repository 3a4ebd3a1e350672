"""
A request to a site with limits: its body has one, and its query is in no log.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from string import punctuation
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import quote

from twisted.python.failure import Failure
from twisted.web.server import Request

from .access_log import without_query
from .admissions import client_key
from .trusted_proxies import Forwarded

__all__ = ["BoundedRequest", "SmallChunks"]

_DISCARDED = 16
"""
A body may be so many times larger than allowed, and is read and dropped before the answer: a
client that is disconnected while it sends does not see an answer.
"""

_LARGE_BODY = 65536
"""Bytes of a body that may take long: such requests are processed one a turn."""

_IN_MEMORY = 8192
"""Bytes of a body that are kept in memory; more are in a temporary file."""

_MOST_CHUNKS = 1000
_LEAST_CHUNK = 256
"""Who sends more chunks than that, with fewer bytes in each on average, sends nothing else."""


class SmallChunks(Exception):
    """A body comes in chunks that are hardly more than their sizes."""


class BoundedRequest(Request):
    """
    A request to a :class:`~.site.BoundedSite`.  Its body has a limit, and its query, which may
    hold credentials, is in no log.

    :ivar too_large: whether the body was over the limit, so that ``content`` is incomplete.
    """

    uri: bytes
    too_large = False
    _received = 0
    _chunks: int | None = None
    _refused = False
    _counted = 0  # of the site's body bytes
    _spooled = False
    content: Any
    channel: Any
    forwarded: Forwarded | None = None

    def __repr__(self) -> str:
        target = (self.method + b" " + without_query(self.uri)).decode("ascii", "replace")
        return f"<{type(self).__name__} {target}>"

    def process(self) -> None:
        """
        Give the request to its resource, with the client's address if it came through a
        trusted proxy.

        twisted.web accepts bytes that are not ASCII in a target, and raises where it puts
        them into a text, such as that of a 405.
        """
        if not self.uri.isascii():
            self.uri = quote(self.uri, safe=punctuation).encode()
        self.channel.site.trusted_proxies.look_at(self)
        super().process()  # type: ignore[no-untyped-call]

    def finish(self) -> None:
        """
        End the answer.  Only logs use the target after this: twisted.web logs it where a
        producer was not unregistered.
        """
        self.uri = without_query(self.uri)
        self.forget_body()
        channel = self.channel
        super().finish()  # type: ignore[no-untyped-call]
        channel.answered()

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        self.forget_body()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def forget_body(self) -> None:
        """The body is not needed any more, and counts for no limit."""
        counted, self._counted = self._counted, 0
        if counted:
            self.channel.site.count_body(self._client, -counted)
        if self._spooled:
            self._spooled = False
            self.channel.site.count_file(self._client, -1)

    def isSecure(self) -> bool:
        """Whether the client used TLS, as far as we or a trusted proxy know."""
        said = None if self.forwarded is None else self.forwarded.secure
        return bool(super().isSecure()) if said is None else said  # type: ignore[no-untyped-call]

    def gotLength(self, length: int | None) -> None:
        """Check the length of the body, which is None if it comes in chunks."""
        site = self.channel.site
        self._limit = site.limits.max_body
        self._most = self._limit * (_DISCARDED if site.answers_too_large else 1)
        if length is not None and length > self._most:
            self._refuse()
        if length is None:
            self._chunks = 0
        kept = None if length is None else min(length, self._limit)
        super().gotLength(0 if self._refused else kept)  # type: ignore[no-untyped-call]

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, if there is room for it."""
        if self.channel is None:
            return  # the connection was lost
        self._received += len(data)
        self.channel.arrival.body_bytes += len(data)
        if self._chunks is not None:
            self._chunks += 1
            if self._chunks > max(_MOST_CHUNKS, self._received // _LEAST_CHUNK):
                self._refused = True
                raise SmallChunks
        if self._received <= self._limit:
            if not self._keep(data):
                self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        elif self._received <= self._most:
            self.too_large = True
        else:
            self._refuse()

    def _keep(self, data: bytes) -> bool:
        """Keep a piece of the body, if there is room for it."""
        site = self.channel.site
        if not self._counted:
            site.trusted_proxies.look_at(self)
            self._client = client_key(self.getClientAddress())  # type: ignore[no-untyped-call]
        self._counted += len(data)
        if not site.count_body(self._client, len(data)):
            return False
        try:
            if self._received > _IN_MEMORY and not self._spooled:
                self._spooled = True
                if not site.count_file(self._client, 1):
                    return False
                beginning, self.content = self.content, TemporaryFile()  # noqa: SIM115 - twisted.web closes it
                self.content.write(beginning.getvalue())
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]
            self.content.flush()  # a full disk is noticed here, and not in the middle of an answer
        except OSError:
            site.refuse_file()
            return False
        return True

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Process the complete request when the client has read the answers before it."""
        if not self._refused:
            process = partial(super().requestReceived, command, path, version)
            self.channel.in_turn(process, self._received > _LARGE_BODY)

    def _refuse(self, status: int = HTTPStatus.REQUEST_ENTITY_TOO_LARGE) -> None:
        if not self._refused:
            self._refused = True
            self.requestHeaders.removeHeader(b"expect")  # twisted.web would ask for the body
            self.channel.refuse(status)
