"""
A token-sockjs server as a program of ``twistd``::

    twistd --pidfile= -noy examples/server.tac

It listens on 127.0.0.1:8084; the environment variable ``LISTEN`` names another endpoint.  Then, in a
second terminal::

    tokensock --host 127.0.0.1:8084 --auth user=ada --auth password=lovelace rpc double 21
"""

import os
from secrets import compare_digest
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.web.server import Request

from txtokensock.server import Peer, TokenSocketServer, query, server_endpoint

PASSWORDS = {"ada": "lovelace", "grace": "hopper"}


def authenticate(request: Request) -> dict[str, str] | None:
    credentials = query(request)
    user, password = str(credentials.get("user")), str(credentials.get("password"))
    known = user in PASSWORDS and compare_digest(password.encode(), PASSWORDS[user].encode())
    return {"user": user} if known else None  # None is answered 403


def double(data: Any, peer: Peer) -> Any:
    return 2 * data


application = Application("server")
server = TokenSocketServer(authenticate, actions={"double": double})
server.setServiceParent(application)
endpoint = server_endpoint(reactor, os.environ.get("LISTEN", "tcp:8084:interface=127.0.0.1"))
StreamServerEndpointService(endpoint, server.site()).setServiceParent(application)
