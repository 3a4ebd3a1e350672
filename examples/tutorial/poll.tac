"""The poll as a program: ``PYTHONPATH=. twistd --pidfile= -noy poll.tac``."""

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import reactor

from poll import poll_server
from txtokensock.server import server_endpoint

application = Application("poll")
server = poll_server()
server.setServiceParent(application)
endpoint = server_endpoint(reactor, "tcp:8085:interface=127.0.0.1")
StreamServerEndpointService(endpoint, server.site()).setServiceParent(application)
