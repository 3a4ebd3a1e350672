"""
``twistd tokensock bridge``: makes a service of a configuration, or says what is wrong with it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.application.service import IService

from ..bridge.config.file import ConfigError, check
from ..bridge.service import Bridge
from ..errors import TokenSocketError
from .fatal import fail, fail_by_config, fail_to_start, say
from .twistd_options import BridgeOptions

__all__ = ["make_bridge"]


class _StartedByTwistd(Bridge):
    """A bridge that ends the process with one line if it cannot start."""

    def privilegedStartService(self) -> None:
        """Do what the bridge does, or end the process."""
        try:
            super().privilegedStartService()
        except TokenSocketError as problem:
            fail_to_start(str(problem))

    def startService(self) -> None:
        """Do what the bridge does, or end the process."""
        try:
            super().startService()
        except TokenSocketError as problem:
            fail_to_start(str(problem))


def make_bridge(options: BridgeOptions, reactor: Any) -> IService:
    """
    Make the service that the options ask for.

    :raises SystemExit: with status 2 and a line for each mistake in the configuration, or if
        a library is not installed; with 1 if the bridge cannot be started; with 0 if the
        configuration was only to be checked.
    """
    if find_spec("prometheus_client") is None:
        fail("bridge needs prometheus_client: pip install 'txtokensock[bridge]'", 2)

    # A check alone starts no log.
    warn = {"warn": say} if options["check"] else {}
    try:
        config = check(options.document(), **warn)
    except ConfigError as error:
        fail_by_config(error)
    if options["check"]:
        print(f"{options['config']}: good", file=sys.__stdout__, flush=True)
        raise SystemExit(0)
    try:
        # Absolute, for a daemon leaves its directory.
        options["config"] = path = str(Path(options["config"]).absolute())
        return _StartedByTwistd(
            config, path=path, read=lambda: check(options.document()), reactor=reactor
        )
    except TokenSocketError as problem:
        fail(str(problem), 1)
