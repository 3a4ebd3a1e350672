"""
The headers that a client sends with everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from ...errors import InvalidOption
from ...support.checks import check_callable
from ...support.user_functions import call_in_next_turn
from ...version import __version__
from .headers import check_headers

__all__ = ["USER_AGENT", "HeadersOption", "RequestHeaders"]

HeadersOption: TypeAlias = Mapping[str, str] | Callable[[], Any]
"""
Headers, or a function that is called before every attempt and returns them, a Deferred
or a coroutine.
"""


USER_AGENT = f"txtokensock/{__version__}"


class RequestHeaders:
    """
    The user's headers for every request of an attempt, and ``User-Agent`` where these have
    none.

    :param option: see :data:`HeadersOption`.
    :raises InvalidOption: if a header is not valid in HTTP.
    """

    def __init__(self, option: HeadersOption | None) -> None:
        self._option = option or {}
        if callable(self._option):
            check_callable("headers", self._option)
        self._fixed = None if callable(self._option) else _complete(self._option)

    async def ask(self, reactor: IReactorTime) -> dict[str, str]:
        """
        The headers of one attempt.

        :raises InvalidOption: if the user's function failed, or returned what is not valid
            in HTTP; the text does not quote it.
        """
        if self._fixed is not None:
            return dict(self._fixed)
        assert callable(self._option)
        try:
            headers = await call_in_next_turn(reactor, self._option)
        except CancelledError:
            raise
        except Exception as problem:
            raise InvalidOption(f"headers() raised {type(problem).__name__}") from problem
        return _complete(headers)


def _complete(headers: Mapping[str, str]) -> dict[str, str]:
    checked = check_headers(headers)
    if not any(name.lower() == "user-agent" for name in checked):
        checked["User-Agent"] = USER_AGENT
    return checked
