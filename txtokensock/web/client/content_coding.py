"""
Responses are not to be compressed.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

__all__ = ["CompressedResponse", "Uncompressed"]


class CompressedResponse(Exception):
    """A response is compressed although that was not asked for, or is not valid gzip."""


@implementer(IAgent)
class Uncompressed:
    """
    Asks for responses that are not compressed.  treq asks for gzip, which may turn a small
    response into a thousand times as many bytes.

    :param agent: sends the requests.
    :param strict: whether a compressed response fails with :class:`CompressedResponse`.
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
        headers = headers or Headers()  # treq has set the header in this copy of its own
        headers.setRawHeaders("Accept-Encoding", ["identity"])
        responding = self._agent.request(method, uri, headers, bodyProducer)
        return responding.addCallback(_as_it_is) if self._strict else responding


def _as_it_is(response: IResponse) -> IResponse:
    coding = response.headers.getRawHeaders(b"content-encoding", [b"identity"])
    if [one.strip().lower() for one in coding] != [b"identity"]:
        raise CompressedResponse("the response is compressed, which was not asked for")
    return response
