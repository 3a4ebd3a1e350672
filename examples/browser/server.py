"""
A page whose client is npm's token-sockjs-client, and the server for both::

    npm install sockjs-client@1.6.1 wolfy87-eventemitter@4.3.0 token-sockjs-client@2.2.0
    python examples/browser/server.py

Then open http://127.0.0.1:8086/.  ``--packages`` says where npm's ``node_modules`` is;
``--host`` has the page talk to another server.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Request
from twisted.web.static import Data, File

from txtokensock.server import TokenSocketServer, query

HERE = Path(__file__).parent
SCRIPTS = {
    b"sockjs.js": "sockjs-client/dist/sockjs.min.js",
    b"EventEmitter.js": "wolfy87-eventemitter/EventEmitter.min.js",
    b"tokensockjs.js": "token-sockjs-client/clients/browser/tokensockjs.min.js",
}


class Page(Data):
    """The page, which may load scripts, and talk, only where it has to."""

    def __init__(self, host: str) -> None:
        page = (HERE / "page.html").read_text().replace('data-host=""', f'data-host="{host}"')
        super().__init__(page.encode(), "text/html")  # type: ignore[no-untyped-call]
        sockets = host.replace("http", "ws", 1)
        self._policy = f"default-src 'self'; script-src 'self' {host}; img-src data:; "
        self._policy += f"connect-src 'self' {host} {sockets}"

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("Content-Security-Policy", self._policy)
        return super().render_GET(request)  # type: ignore[no-any-return, no-untyped-call]


def pages(options: Namespace) -> Resource:
    """The page and its scripts."""
    root: Any = Resource()
    root.putChild(b"", Page(options.host))
    root.putChild(b"page.js", File(str(HERE / "page.js")))
    for name, path in SCRIPTS.items():
        root.putChild(name, File(str(options.packages / path)))
    return root  # type: ignore[no-any-return]


async def main(reactor: Any, options: Namespace) -> None:
    """Serve until the reactor stops."""
    # Everybody is who they say they are: this is for this machine alone.
    actions = {"whoami": lambda data, peer: peer.auth}
    server = TokenSocketServer(query, actions=actions, reactor=reactor)
    server.startService()
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    listening = serverFromString(reactor, options.listen).listen(server.site(pages(options)))
    port = await listening
    print(f"listening on {port.getHost().host}:{port.getHost().port}", flush=True)
    await Deferred()


def arguments() -> Namespace:
    """The command line."""
    parser = ArgumentParser()
    parser.add_argument(
        "--packages", type=Path, default=Path("node_modules"), help="where npm put the scripts"
    )
    parser.add_argument(
        "--listen", default="tcp:8086:interface=127.0.0.1", help="an endpoint of Twisted's"
    )
    parser.add_argument("--host", default="", help="such as https://chat.example.com")
    options = parser.parse_args()
    for path in SCRIPTS.values():
        if not (options.packages / path).is_file():
            parser.error(f"there is no {options.packages / path}: see docs/browser.rst")
    return options


if __name__ == "__main__":
    react(main, [arguments()])
