"""
``twistd tokensock bridge``: a configuration to a service, or lines that say what is wrong.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from ..bridge.config.file import ConfigError, load
from ..bridge.service import Bridge
from ..errors import TokenSocketError
from .endpoint_service import fail, fail_to_start

__all__ = ["BridgeOptions", "bridging"]

_NEEDS = ("klein", "prometheus_client")


class BridgeOptions(usage.Options):
    """``twistd tokensock bridge``."""

    synopsis = "--config bridge.toml [options]"
    longdesc = (
        "A bridge between a token-sockjs server and what speaks WAMP or HTTP. It reads its"
        " configuration again at SIGHUP."
    )
    optParameters = [
        ["config", "c", None, "The configuration, TOML: see docs/bridge.rst"],
    ]
    optFlags = [
        ["check", None, "Only say whether the configuration is good; start nothing"],
    ]

    def postOptions(self) -> None:
        """There is nothing to bridge without a configuration."""
        if self["config"] is None:
            raise usage.UsageError("bridge needs --config")


class _StartedByTwistd(Bridge):
    """Ends the process with one line where it cannot start: there is nobody to catch it."""

    def privilegedStartService(self) -> None:
        """See :meth:`Bridge.privilegedStartService`."""
        try:
            super().privilegedStartService()
        except TokenSocketError as problem:
            fail_to_start(str(problem))

    def startService(self) -> None:
        """See :meth:`Bridge.startService`."""
        try:
            super().startService()
        except TokenSocketError as problem:
            fail_to_start(str(problem))


def bridging(options: BridgeOptions, reactor: Any) -> IService:
    """
    The service for these options.

    :raises SystemExit: with status 2 and a line for each thing that is wrong with the
        configuration, or that is not installed; 1 where it cannot be started; 0 where it
        was only to be checked.
    """
    for module in _NEEDS:
        if find_spec(module) is None:
            fail(f"bridge needs {module}: pip install txtokensock[bridge]", 2)
    # Absolute, for a daemon leaves its directory.
    path = Path(options["config"]).absolute()
    try:
        config = load(str(path))
    except ConfigError as error:
        for problem in error.problems:
            whole_file = problem.path == str(path)
            _say(f"{options['config']}: {problem.message if whole_file else problem}")
        raise SystemExit(2) from None
    if options["check"]:
        print(f"{options['config']}: good", file=sys.__stdout__, flush=True)
        raise SystemExit(0)
    try:
        return _StartedByTwistd(config, path=str(path), reactor=reactor)
    except TokenSocketError as problem:
        fail(str(problem), 1)


def _say(problem: str) -> None:
    line = " ".join(problem.split())
    print(f"twistd tokensock: {line}", file=sys.__stderr__, flush=True)
