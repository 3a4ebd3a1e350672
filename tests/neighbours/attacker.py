"""``python -m tests.neighbours.attacker CORE``: does one attack after the other, when told."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from typing import Any

if __name__ == "__main__":
    from twisted.internet import asyncioreactor

    asyncioreactor.install(asyncio.new_event_loop())

from twisted.internet.defer import Deferred

from tests.kit.commands import Commands

from .attack import Ground
from .attacks import ATTACKS
from .link import Address

PREPARATION = 8.0
"""Seconds that an attack may take besides its own."""

_numbers = itertools.count()
_ATTACKS = {attack.name: attack for attack in ATTACKS}


async def attack(name: str, port: int, router: int | None = None) -> dict[str, Any]:
    """
    Do one attack.

    :return: what was answered, and how many seconds it took.
    """
    chosen = _ATTACKS[name]
    begun = time.monotonic()
    address = Address(port, tls=chosen.tls)
    ground = Ground(address, chosen.seconds, chosen.spread, next(_numbers), router)
    try:
        async with asyncio.timeout(chosen.seconds + PREPARATION):
            await chosen.run(ground)
    except* (OSError, TimeoutError) as problems:
        ground.outcomes.update(f"{type(each).__name__}: {each}" for each in problems.exceptions)
    finally:
        ground.leave()
    await asyncio.sleep(0)
    return {"answers": dict(ground.outcomes), "seconds": time.monotonic() - begun}


def main() -> None:
    """Obey, until the parent is gone."""
    from twisted.internet import reactor

    os.sched_setaffinity(0, {int(sys.argv[1])})
    os.nice(10)  # what it takes must not be what the honest client waits for

    def obey(**arguments: Any) -> Deferred[Any]:
        return Deferred.fromFuture(asyncio.ensure_future(attack(**arguments)))

    commands = Commands({"attack": obey})
    assert reactor is not None
    commands.run(lambda: commands.say("ready"))


if __name__ == "__main__":
    main()
