"""
Writes what is said in the chat of ``chat_client.py`` into twistd's log::

    twistd -n tokensock
    twistd --pidfile= -noy examples/chat_log.tac

The environment variable ``HOST`` names another server.
"""

import os

from twisted.application.service import Application
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txtokensock import ClientClosed, TokenSocket

log = Logger("chat")

socket = TokenSocket(os.environ.get("HOST", "127.0.0.1:8080"))


async def listen() -> None:
    try:
        await socket.when_ready()
    except ClientClosed:
        return  # stopped before there was a server
    await socket.subscribe(
        "chat", lambda message: log.info("{name}: {text}", name=message["from"], **message)
    )
    log.info("listening")


application = Application("chat log")
socket.setServiceParent(application)
Deferred.fromCoroutine(listen()).addErrback(lambda failure: log.failure("cannot listen", failure))
