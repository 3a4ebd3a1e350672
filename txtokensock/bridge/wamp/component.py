"""
The WAMP side as a component for Crossbar containers.
"""

from __future__ import annotations

from typing import Any

from autobahn.wamp.types import ComponentConfig

from ..config.wamp_component import component_options
from ..counters import Counters
from ..upstream_socket import Upstream
from .forwarding import WampForwarding
from .wamp_session import WampSession

__all__ = ["TokenSocketComponent"]


class TokenSocketComponent(WampSession):
    """
    The bridge's WAMP side as a component that a Crossbar container hosts, which keeps the
    session: ``"classname": "txtokensock.bridge.wamp.component.TokenSocketComponent"``, with
    ``upstream`` and the rules of ``[wamp]`` in ``extra``.

    :param config: Crossbar's.
    :param reactor: the reactor; by default the global one.
    :raises InvalidOption: for an ``extra`` that cannot be, with a line for each problem.
    """

    def __init__(self, config: ComponentConfig, *, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        options = component_options(config.extra)
        super().__init__(config, reactor=reactor, request_timeout=options.request_timeout)
        self._upstream = Upstream(options.upstream, reactor)
        self.counters = Counters()
        self._forwarding = WampForwarding(
            options,
            socket=self._upstream.socket,
            shares=self._upstream.shares,
            counters=self.counters,
            reactor=reactor,
        )
        self._forwarding.start()

    def onJoin(self, details: Any) -> None:
        self._upstream.startService()
        self._forwarding.joined(self)

    def onClose(self, wasClean: bool) -> None:
        super().onClose(wasClean)
        self._forwarding.left()
        self._forwarding.stop(0)  # a container makes another component for another session
        self._upstream.stopService()
