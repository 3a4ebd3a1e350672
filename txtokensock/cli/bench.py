"""
``tokensock bench``: how many calls a server answers, and how fast.
"""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import click
from twisted.internet.defer import Deferred, FirstError, gatherResults

from ..client.socket import TokenSocket
from ..errors import RemoteError
from .output import print_json

__all__ = ["bench"]

_PERCENTILES = (50, 90, 99, 100)


async def bench(
    socket: TokenSocket, reactor: Any, *, name: str, data: Any, count: int, concurrency: int
) -> None:
    """
    Call a function again and again, and print what came of it.  Progress is shown on stderr, if
    that is a terminal.

    :param count: how often.
    :param concurrency: how many calls wait for their answers at a time.
    :raises RemoteError: after that, if a call was refused.
    """
    await socket.when_ready()
    times: list[float] = []
    refusals: list[RemoteError] = []
    left = count

    with click.progressbar(
        length=count,
        file=sys.stderr,
        hidden=sys.stderr is None or not sys.stderr.isatty(),
        update_min_steps=max(1, count // 100),
    ) as bar:

        async def caller() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                start = time.perf_counter()
                try:
                    await socket.rpc(name, data)
                except RemoteError as refusal:
                    refusals.append(refusal)
                times.append(time.perf_counter() - start)
                bar.update(1)

        start = time.perf_counter()
        callers = [Deferred.fromCoroutine(caller()) for _ in range(min(concurrency, count))]
        try:
            await gatherResults(callers, consumeErrors=True)
        except FirstError as first:
            first.subFailure.raiseException()
        took = time.perf_counter() - start
    print_json(_figures(times, took, len(refusals)))
    if refusals:
        raise refusals[0]


def _figures(times: list[float], took: float, refused: int) -> dict[str, Any]:
    """Times are in seconds; each percentile is a time that a call had (nearest rank)."""
    times.sort()
    ranks = {f"p{part}": times[math.ceil(len(times) * part / 100) - 1] for part in _PERCENTILES}
    return {
        "calls": len(times),
        "refused": refused,
        "seconds": round(took, 6),
        "calls_per_second": round(len(times) / took, 1),
        **{name: round(value, 6) for name, value in ranks.items()},
    }
