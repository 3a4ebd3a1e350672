"""
``twistd tokensock``: its options, and the services that are made of them.
"""

from __future__ import annotations

import gc
from typing import Any, cast

from twisted.application.service import IService

from .bridge import make_bridge
from .serve import make_demo_server, make_server
from .twistd_options import Options

__all__ = ["Options", "makeService"]


def makeService(options: Options, reactor: Any = None) -> IService:
    """
    Make the service that the options ask for.

    :param reactor: the reactor; by default the global one.
    :raises SystemExit: with status 2, if an option is not valid.
    """
    if reactor is None:
        from twisted.internet import reactor as global_reactor

        reactor = cast(Any, global_reactor)
        # A search for garbage would look at all that is there from the start: 20 ms each time.
        reactor.callWhenRunning(gc.freeze)
    if options.subCommand == "bridge":
        return make_bridge(options.subOptions, reactor)
    if options.subCommand == "serve":
        return make_server(options.subOptions, reactor)
    return make_demo_server(reactor)
