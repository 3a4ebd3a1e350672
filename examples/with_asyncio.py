"""
A client in a program that asyncio runs::

    twistd -n tokensock
    python examples/with_asyncio.py

It prints what ``quickstart.py`` prints.  An argument names another server.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred

from txtokensock import RemoteError, TokenSocket


async def talk(host: str) -> None:
    """A coroutine of Twisted's, which awaits Deferreds, as everywhere else in these pages."""
    async with TokenSocket(host, authentication={"user": "ada"}) as client:
        print(await client.rpc("echo", {"foo": "bar"}))
        try:
            await client.rpc("no.such.function")
        except RemoteError as error:
            print(error)
        subscription = await client.subscribe("channel1")
        # What is asyncio's is awaited as a Deferred.
        message = await Deferred.fromFuture(asyncio.ensure_future(compose()))
        await client.publish("channel1", message)
        async for message in subscription:
            print(message)
            break


async def compose() -> Any:
    """A coroutine of asyncio's."""
    await asyncio.sleep(0.01)
    return {"hello": "world"}


async def main(host: str = "127.0.0.1:8080") -> None:
    """A coroutine of asyncio's, which awaits what is Twisted's as a future."""
    loop = asyncio.get_running_loop()
    asyncioreactor.install(loop)
    from twisted.internet import reactor as installed

    reactor: Any = installed
    reactor.startRunning(installSignalHandlers=False)
    try:
        await Deferred.fromCoroutine(talk(host)).asFuture(loop)
    finally:
        reactor.fireSystemEvent("shutdown")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
