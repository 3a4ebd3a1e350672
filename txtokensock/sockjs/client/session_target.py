"""
Where a session is opened, and with which headers, limits and deadlines.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass

from ...address import Address
from ...support.timeouts import Timeouts
from ...web.client.http_context import HTTPContext

__all__ = ["SessionTarget"]

_SESSION_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True, repr=False)
class SessionTarget:
    """
    The server of one attempt.

    :ivar http_context: makes the connections.
    :ivar address: the SockJS prefix.
    :ivar headers: of this attempt, without the cookies that servers set.
    :ivar max_message_size: bytes of one WebSocket message, or of one frame of a response.
    :ivar timeouts: of each phase.
    """

    http_context: HTTPContext
    address: Address
    headers: Mapping[str, str]
    max_message_size: int
    timeouts: Timeouts

    def __repr__(self) -> str:
        return f"<SessionTarget {self.address}>"

    def new_session(self) -> str:
        """The path of a new session, below the prefix."""
        # The name is a credential: who knows it can read a session over HTTP.
        name = "".join(secrets.choice(_SESSION_ALPHABET) for _ in range(16))
        return f"/{secrets.randbelow(1000):03}/{name}"

    def url(self, path: str) -> str:
        """
        The URL of one page.

        :param path: below the prefix.
        """
        return self.address.http_url(path)

    def request_headers(self, url: str) -> dict[str, str]:
        """The headers of one request, with the cookies for its URL."""
        return self.http_context.with_cookies(self.headers, url)
