"""Votes for tea, and shows the result from then on: ``python watch.py``."""

from typing import Any

from twisted.internet.task import react

from txtokensock import TokenSocket


async def main(reactor: Any) -> None:
    user = {"user": "ada"}
    async with TokenSocket("http://127.0.0.1:8085", authentication=user) as client:
        results = await client.subscribe("result")
        await client.rpc("vote", "tea")
        async for result in results:
            print(result, flush=True)


react(main)
