"""
A warning of sites that parse forms.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from twisted.logger import Logger
from twisted.web.http import parse_qs
from twisted.web.server import Site

__all__ = ["warn_of_parsed_forms"]

_log = Logger()

_warned_of: WeakSet[Site] = WeakSet()


def warn_of_parsed_forms(request: Any) -> None:
    """
    Warn in the log, once for each site, of a site that parses forms.  A resource cannot prevent
    that: it is called after the form was parsed.

    :param request: a request to a resource of this package.
    """
    if request.method != b"POST" or not request.args:
        return
    if request.args == parse_qs(request.uri.partition(b"?")[2], True):
        return
    if request.site not in _warned_of:
        _warned_of.add(request.site)
        _log.warn(
            "this site parses forms, and anybody can send one that stops the process for"
            " minutes: use server.site(), or Site(..., parsePOSTFormSubmission=False)",
            event="site.parses_forms",
        )
