"""
A file into a checked configuration.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import field
from twisted.logger import Logger

from ...config.document import ConfigError, Document, Sections, no_problems
from ...config.log import LogConfig
from ...config.section import Problem, Section
from . import http, operation, upstream, wamp, webhooks
from .conflicts import conflicts
from .http import HttpConfig
from .old_options import renew
from .operation import OperationConfig
from .upstream import UpstreamConfig
from .wamp import WampConfig
from .webhooks import WebhooksConfig

__all__ = ["Config", "ConfigError", "check", "load"]

_log = Logger()


class Config(Section, frozen=True):
    """
    The whole file.  A side that has no section is not there.

    :ivar upstream: the server.
    :ivar wamp: the WAMP side.
    :ivar http: HTTP in.
    :ivar webhooks: HTTP out.
    :ivar operation: how the process behaves.
    :ivar log: the log.
    """

    upstream: UpstreamConfig
    wamp: WampConfig | None = None
    http: HttpConfig | None = None
    webhooks: WebhooksConfig | None = None
    operation: OperationConfig = field(default_factory=OperationConfig)
    log: LogConfig = LogConfig()


_SECTIONS: Sections = {
    "upstream": (UpstreamConfig, upstream.problems),
    "wamp": (WampConfig, wamp.problems),
    "http": (HttpConfig, http.problems),
    "webhooks": (WebhooksConfig, webhooks.problems),
    "operation": (OperationConfig, operation.problems),
    "log": (LogConfig, no_problems),
}


def _log_problem(problem: Problem) -> None:
    _log.warn("{problem}", event="bridge.deprecated", problem=str(problem))


def load(path: str) -> Config:
    """
    Read and check a file.

    :param path: the file, TOML in UTF-8.
    :raises ConfigError: with a line for each thing that is wrong.
    """
    return check(Document.read(path))


def check(document: Document, warn: Callable[[Problem], object] = _log_problem) -> Config:
    """
    Check what a file and a command line say.

    :param warn: called with what works in this release for the last time; by default it is
        logged.
    :raises ConfigError: see :func:`load`.
    """
    old, found = renew(document.content)
    sections, wrong = document.convert(_SECTIONS)
    found += wrong
    if "upstream" not in document.content:
        found.append(Problem("upstream", "is missing"))
    found += conflicts(sections)
    if found:
        raise document.error(found)
    for option in document.placed(old):
        warn(option)
    return Config(**sections)
