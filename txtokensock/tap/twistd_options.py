"""
The options of ``twistd tokensock``, which are only read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from twisted.python import usage

from ..errors import InvalidOption
from ..server.limits import Limits
from .fatal import fail

__all__ = ["EMBEDDED_LISTEN", "BridgeOptions", "Options", "ServeOptions"]

EMBEDDED_LISTEN = "tcp:8080:interface=127.0.0.1"
"""Where the embedded server listens, and where ``tokensock`` looks for one."""


class ServeOptions(usage.Options):
    """The options of ``serve``."""

    synopsis = "[options]"
    longdesc = (
        "A token-sockjs server. Without options: in memory, with the actions echo and whoami,"
        " for everybody on this machine.\n\nThe limits, and their defaults: "
        + ", ".join(f"{field.name}={field.default}" for field in fields(Limits))
    )
    optParameters = [
        [
            *("listen", "l", EMBEDDED_LISTEN),
            "Where to listen: a Twisted endpoint string, such as tcp:8080 or"
            " ssl:443:privateKey=key.pem:certKey=cert.pem",
        ],
        [
            *("redis", None, None),
            "Share tokens and channels with other servers, Node's among them:"
            " a URL such as redis://127.0.0.1:6379/0",
        ],
        [
            *("namespace", None, None),
            "Prefix of all keys and channels in Redis, where no Node server shares it",
        ],
        [
            *("actions", None, None),
            "module:attribute of a mapping of names to functions (data, peer),"
            " or of a function that returns one",
        ],
        [
            *("authentication", None, None),
            "module:attribute of a function of the token request that returns who that is;"
            " demo lets everybody in as whoever they say they are, which has to be said where"
            " --listen is not for this machine alone",
        ],
        [
            *("limits-for", None, None),
            "module:attribute of a function of an identity that returns the Limits of that peer,"
            " such as a bridge, or None for those of all",
        ],
        [
            *("admin", None, None),
            "Where to have /healthz, /readyz and /metrics: an endpoint string that clients do"
            " not reach, such as tcp:9090:interface=127.0.0.1",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["allowed-origins"] = []
        self["allowed-hosts"] = []
        self["trusted-proxies"] = []
        self["limits"] = []

    def opt_allowed_origin(self, origin: str) -> None:
        """
        Let pages of this origin in, such as https://app.example.com, besides the server's
        own; * for all.  It may be given several times.
        """
        self["allowed-origins"].append(origin)

    def opt_allowed_host(self, host: str) -> None:
        """
        Answer requests for this host, such as app.example.com, also where they come to a
        loopback address, as from a proxy on this machine.  It may be given several times.
        """
        self["allowed-hosts"].append(host)

    def opt_trusted_proxy(self, network: str) -> None:
        """
        Believe the proxies of this network, such as 10.0.0.0/8 or 127.0.0.1, or unix for UNIX
        sockets, who the client is: X-Forwarded-For, Forwarded, X-Forwarded-Proto.  It may be
        given several times.
        """
        self["trusted-proxies"].append(network)

    def opt_limit(self, limit: str) -> None:
        """
        Set a limit, as NAME=VALUE such as channels=100; they are listed below.  It may be given
        several times.
        """
        self["limits"].append(limit)

    def postOptions(self) -> None:
        """Make the store of ``--redis`` now: its URL may hold a password, which a store hides."""
        url, namespace = self.pop("redis"), self["namespace"]
        self["store"] = None
        if url is None:
            if namespace is not None:
                raise usage.UsageError("--namespace needs --redis")
            return
        from ..server import RedisStore

        try:
            self["store"] = RedisStore(url, namespace)
        except InvalidOption as problem:
            raise usage.UsageError(f"--redis: {problem}") from None


class BridgeOptions(usage.Options):
    """The options of ``bridge``: the file of the configuration, which has all others."""

    synopsis = "--config bridge.toml [options]"
    longdesc = (
        "A bridge between a token-sockjs server and programs that speak WAMP or HTTP. It reads its"
        " configuration again at SIGHUP."
    )
    optParameters = [
        ["config", "c", None, "The configuration, TOML: see docs/bridge.rst"],
    ]
    optFlags = [
        ["check", None, "Only say whether the configuration is good; start nothing"],
    ]

    def postOptions(self) -> None:
        """Refuse a command line without ``--config``."""
        if self["config"] is None:
            raise usage.UsageError("bridge needs --config")


class Options(usage.Options):
    """The commands of ``twistd tokensock``, each with options of its own."""

    synopsis = ""  # twistd shows it before that of each command
    longdesc = (
        "Without a command: an embedded token-sockjs server on 127.0.0.1:8080, to try"
        " things out with the command 'tokensock'."
    )
    subCommands = [
        ["serve", None, ServeOptions, "Serve the token-sockjs protocol."],
        ["bridge", None, BridgeOptions, "Connect a server with WAMP and HTTP."],
    ]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, or exit with status 2 and one line that says what is wrong."""
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as problem:
            command = f" {self.subCommand}" if self.subCommand else ""
            fail(f"{problem} (see twistd tokensock{command} --help)", 2)
