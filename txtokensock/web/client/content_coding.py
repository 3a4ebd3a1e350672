"""
Compressed responses, which nobody asks for.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

__all__ = ["CompressedResponse", "Uncompressed"]


class CompressedResponse(Exception):
    """A response is compressed, though none was to be, or cannot be decompressed."""


@implementer(IAgent)
class Uncompressed:
    """
    Says that responses are wanted as they are; treq asks for gzip, and makes of what comes
    in up to a thousand times as much.

    :param agent: sends the requests.
    :param strict: whether to take no others.
    """

    def __init__(self, agent: IAgent, strict: bool) -> None:
        self._agent = agent
        self._strict = strict

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        headers = headers or Headers()  # a copy of treq's, which has set the same header
        headers.setRawHeaders("Accept-Encoding", ["identity"])
        responding = self._agent.request(method, uri, headers, bodyProducer)
        return responding.addCallback(_as_it_is) if self._strict else responding


def _as_it_is(response: IResponse) -> IResponse:
    coding = response.headers.getRawHeaders(b"content-encoding", [b"identity"])
    if [one.strip().lower() for one in coding] != [b"identity"]:
        raise CompressedResponse("the response is compressed, which was not asked for")
    return response
