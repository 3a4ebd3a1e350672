"""
What a call passes through on its way to the server and back.

One ``rpc`` on loopback, client and server in one process, after a few that warm up, traced
until all is quiet again.  For each transport it prints

- how many **calls** of txtokensock's functions there were (a resumed generator and a
  comprehension that runs as a function count, what Twisted and Autobahn do does not);
- in how many **files** these functions are;
- how many **crossings** there were: calls of a function that is in another file than the
  one called just before;
- with ``-v``, each call: its file and name.

The current directory's package is measured, so that versions can be compared::

    PYTHONPATH=. python benchmarks/trace_rpc.py [-v] [TRANSPORT ...]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater, react
from twisted.web.server import Site

import txtokensock
from txtokensock import TokenSocket
from txtokensock.server import TokenSocketServer
from txtokensock.server.demo import ACTIONS, authenticate
from txtokensock.sockjs import TRANSPORTS

ROOT = Path(txtokensock.__file__).parent
WARM_UP = 5
QUIET = 0.2  # seconds in which an answer's last bytes arrive, and no timer of ours fires


@contextmanager
def traced() -> Iterator[list[CodeType]]:
    """Notes each call of a function of ours."""
    calls: list[CodeType] = []
    ours = f"{ROOT}/"

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(ours):
            calls.append(frame.f_code)

    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)


async def trace(reactor, port: int, transport: str) -> list[CodeType]:
    """The calls of one rpc over the transport."""
    socket = TokenSocket("127.0.0.1", port=port, transports=(transport,), reactor=reactor)
    socket.startService()
    for _ in range(WARM_UP):
        await socket.rpc("echo", {"foo": "bar"})
    await deferLater(reactor, QUIET)
    with traced() as calls:
        answer = socket.rpc("echo", {"foo": "bar"})
        await deferLater(reactor, QUIET)
    assert await answer == {"foo": "bar"}
    await socket.end()
    return calls


def show(transport: str, calls: list[CodeType], verbose: bool) -> None:
    """The figures, and the calls."""
    names = [code.co_filename for code in calls]
    crossings = sum(before != after for before, after in pairwise(names))
    print(
        f"{transport:<14} {len(calls):4} calls {len(set(names)):4} files {crossings:4} crossings"
    )
    for code in calls if verbose else ():
        print(f"    {Path(code.co_filename).relative_to(ROOT)} {code.co_qualname}")


async def measure(reactor, verbose: bool, transports: list[str]) -> None:
    """Serve, and trace over each transport."""
    server = TokenSocketServer(authenticate, actions=ACTIONS, reactor=reactor)
    server.startService()
    # Older versions have no site of their own.
    site = server.site() if hasattr(server, "site") else Site(server.resource())
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    port = (await endpoint.listen(site)).getHost().port
    for transport in transports:
        show(transport, await trace(reactor, port, transport), verbose)


if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if name != "-v"]
    react(measure, ["-v" in sys.argv[1:], chosen or list(TRANSPORTS)])
