"""
A file into a checked configuration.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import field
from twisted.logger import Logger

from ...errors import UsageError, shorten
from . import http, operation, upstream, wamp, webhooks
from .conflicts import conflicts
from .http import HttpConfig
from .old_options import renew
from .operation import OperationConfig
from .section import Problem, Section
from .types import type_problem
from .upstream import UpstreamConfig
from .wamp import WampConfig
from .webhooks import WebhooksConfig

__all__ = ["Config", "ConfigError", "load", "parse"]

_log = Logger()


class Config(Section, frozen=True):
    """
    The whole file.  A side that has no section is not there.

    :ivar upstream: the server.
    :ivar wamp: the WAMP side.
    :ivar http: HTTP in.
    :ivar webhooks: HTTP out.
    :ivar operation: how the process behaves.
    """

    upstream: UpstreamConfig
    wamp: WampConfig | None = None
    http: HttpConfig | None = None
    webhooks: WebhooksConfig | None = None
    operation: OperationConfig = field(default_factory=OperationConfig)


_SECTIONS: dict[str, tuple[type[Section], Callable[[Any, str], Iterator[Problem]]]] = {
    "upstream": (UpstreamConfig, upstream.problems),
    "wamp": (WampConfig, wamp.problems),
    "http": (HttpConfig, http.problems),
    "webhooks": (WebhooksConfig, webhooks.problems),
    "operation": (OperationConfig, operation.problems),
}


class ConfigError(UsageError):
    """
    The configuration cannot be used.

    :ivar problems: everything that is wrong, as far as it could be read.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def _log_problem(problem: Problem) -> None:
    _log.warn("{problem}", event="bridge.deprecated", problem=str(problem))


def load(path: str, warn: Callable[[Problem], object] = _log_problem) -> Config:
    """
    Read and check a file.

    :param path: the file, TOML in UTF-8.
    :param warn: called with what works in this release for the last time; by default it is
        logged.
    :raises ConfigError: with a line for each thing that is wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as problem:
        raise ConfigError([Problem(path, problem.strerror or "cannot be read")]) from None
    except ValueError:
        raise ConfigError([Problem(path, "is not UTF-8")]) from None
    return parse(text, path, warn)


def parse(text: str, path: str, warn: Callable[[Problem], object] = _log_problem) -> Config:
    """
    Check a configuration.

    :param path: where it is from, for people.
    :param warn: see :func:`load`.
    :raises ConfigError: see :func:`load`.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ConfigError([Problem(path, f"is not valid TOML: {shorten(str(problem))}")]) from None
    old, found = renew(document)
    found += [
        Problem(name, "is not a section: is it misspelt?")
        for name in document
        if name not in _SECTIONS
    ]
    if "upstream" not in document:
        found.append(Problem("upstream", "is missing"))
    sections: dict[str, Section] = {}
    for name, (kind, problems) in _SECTIONS.items():
        if name not in document:
            continue
        try:
            section = msgspec.convert(document[name], kind)
        except msgspec.ValidationError as problem:
            found.append(type_problem(str(problem), name, document[name], kind))
            continue
        of_section = list(problems(section, name))
        found += of_section
        if not of_section:
            sections[name] = section
    found += conflicts(sections)
    if found:
        raise ConfigError(found)
    for option in old:
        warn(option)
    return Config(**sections)  # type: ignore[arg-type]
