from typing import Any

from twisted.internet.task import react

from txtokensock import RemoteError, TokenSocket


async def main(reactor: Any) -> None:
    async with TokenSocket("http://127.0.0.1:8080", authentication={"user": "ada"}) as client:
        print(await client.rpc("echo", {"foo": "bar"}))
        try:
            await client.rpc("no.such.function")
        except RemoteError as error:
            print(error)

        subscription = await client.subscribe("channel1")
        await client.publish("channel1", {"hello": "world"})
        async for message in subscription:
            print(message)
            break


react(main)
