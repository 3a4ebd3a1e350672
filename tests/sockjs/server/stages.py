"""
Sessions of the server for walks of their states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from txtokensock.sockjs.server.options import SockJSOptions
from txtokensock.sockjs.server.request_info import RequestInfo
from txtokensock.sockjs.server.resource import SockJSResource
from txtokensock.sockjs.server.session import ServerSession, State
from txtokensock.sockjs.server.shared_buffers import SharedBuffers
from txtokensock.support.deadlines import Deadlines
from txtokensock.support.timer import Timer

from ..test_transport import Events
from .support import Recorders

HEARTBEAT, HEARTBEAT_TIMEOUT, CLOSE_TIMEOUT, DISCONNECT_DELAY = 25, 10, 4, 7


def options(clock: Clock) -> SockJSOptions:
    """Those of a resource."""
    resource = SockJSResource(
        Recorders(),
        reactor=clock,
        heartbeat=HEARTBEAT,
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        close_timeout=CLOSE_TIMEOUT,
        disconnect_delay=DISCONNECT_DELAY,
    )
    return resource._options


class Stage:
    """
    A session, and everybody who is told something.

    :ivar noted: what they were told, in order.
    """

    session: ServerSession

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.clock = Clock()
        self.protocol = Events()
        nowhere: Any = "nowhere"
        self.info = RequestInfo("test", b"/", nowhere, nowhere, False)
        self.options = options(self.clock)
        self.buffers = SharedBuffers(self.options.max_buffered_total)
        self.beats: Deadlines[ServerSession] = Deadlines(self.clock, self._beat, Timer)

    def _beat(self, sessions: list[ServerSession]) -> None:
        for session in sessions:
            session.beat()

    def on_end(self, _: ServerSession) -> None:
        """The session told the table that it has ended."""
        self.noted.append("counted")
        self.beats.stop()  # as the table does when none is left

    def forget(self) -> None:
        """Note what comes from now on."""
        self.noted.clear()
        self.protocol.events.clear()

    @property
    def state(self) -> State:
        """Where it is."""
        return self.session._state

    @property
    def outcome(self) -> str:
        """
        What was noted, what the protocol heard, the seconds after which something is due,
        and the state.
        """
        heard = [
            event.decode() if isinstance(event, bytes) else str(event) if event == "made"
            else f"lost:{type(event).__name__}"
            for event in self.protocol.events
        ]  # fmt: skip
        timers = self.clock.getDelayedCalls()
        times = [call.getTime() for call in timers if call is not self.beats._timer._call]
        times += [time for line in self.beats._lines.values() for time in line.values()]
        due = [f"{time - self.clock.seconds():g}s" for time in times]
        return " ".join([*self.noted, *heard, *sorted(due), self.state.name])


TRANSPORT: dict[str, Callable[[Any], object]] = {
    "send": lambda stage: stage.session.send([b"m"]),
    "close": lambda stage: stage.session.close(3000, ""),
    "abort": lambda stage: stage.session.abort(),
    "pause": lambda stage: stage.session.pause_reading(),
    "resume": lambda stage: stage.session.resume_reading(),
}
"""What comes from the protocol's transport."""
