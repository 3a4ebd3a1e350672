"""
The paths of the server's routes in a site.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from twisted.web.http import SERVICE_UNAVAILABLE
from twisted.web.resource import IResource, Resource

from ..web.server.answers import answer, no_page, uncacheable

__all__ = ["AnyResource", "Mounts", "SockJSRoute"]

AnyResource: TypeAlias = "IResource | Resource"
"""Provides Twisted's ``IResource``."""


class Mounts(Resource):
    """
    Resources at paths of several segments, and something else at all other paths.

    Works below any other resource: paths are relative to where this one is.

    :param mounts: paths, such as ``"/socket/token"``, and what is there.
    :param rest: what answers everything else; by default, 404.
    """

    def __init__(
        self, mounts: Sequence[tuple[str, IResource]], rest: AnyResource | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._mounts = [
            ([segment.encode("ascii") for segment in path.strip("/").split("/")], resource)
            for path, resource in mounts
        ]
        self._rest = cast("IResource | None", rest)

    def getChildWithDefault(self, path: bytes, request: Any) -> IResource:
        """Find the resource of a path, see :meth:`IResource.getChildWithDefault`."""
        segments = [path, *request.postpath]
        for wanted, resource in self._mounts:
            if segments[: len(wanted)] == wanted:
                consumed = len(wanted) - 1
                request.prepath.extend(request.postpath[:consumed])
                del request.postpath[:consumed]
                return resource
        if self._rest is None:
            return no_page()
        if self._rest.isLeaf:
            request.postpath.insert(0, request.prepath.pop())
            return self._rest
        child: IResource = self._rest.getChildWithDefault(path, request)
        return child

    def render(self, request: Any) -> Any:
        """Answer the path at which this resource itself is."""
        return (self._rest or no_page()).render(request)


class SockJSRoute(Resource):
    """
    The SockJS server, which is another one after each start of the service.

    :param current: returns it at the time of the request, or None while the service does
        not run: then the answer is 503.
    """

    isLeaf = True

    def __init__(self, current: Callable[[], IResource | None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._current = current

    def render(self, request: Any) -> Any:
        """Let the SockJS server answer, or answer 503."""
        sockjs = self._current()
        if sockjs is None:
            uncacheable(request)
            return answer(request, SERVICE_UNAVAILABLE, "The server is not running.\n")
        return sockjs.render(request)
