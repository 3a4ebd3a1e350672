from twisted.internet.task import react

from txtokensock import RemoteError, TokenSocket


async def main(reactor):
    socket = TokenSocket("http://127.0.0.1:8080", authentication={"user": "ada"})
    socket.startService()

    print(await socket.rpc("echo", {"foo": "bar"}))
    try:
        await socket.rpc("no.such.function")
    except RemoteError as error:
        print(error)

    subscription = await socket.subscribe("channel1")
    await socket.publish("channel1", {"hello": "world"})
    async for message in subscription:
        print(message)
        break
    await socket.end()


react(main)
