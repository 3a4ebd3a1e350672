"""
The options of ``twistd tokensock``, which are only read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any

from twisted.python import usage

from ..config.document import Document
from ..errors import shorten
from ..server.limits import Limits
from .fatal import fail
from .log_observer import limit_log
from .serve_config import EMBEDDED_LISTEN

__all__ = ["BridgeOptions", "Options", "ServeOptions"]

_SHORT = {"config": "c", "listen": "l"}


def _parameters(texts: dict[str, str]) -> list[list[str | None]]:
    """Options with a value, which is None where it is not given, by their names."""
    return [[name, _SHORT.get(name), None, text] for name, text in texts.items()]


_OF_THE_LOG = {
    "log-level": "The least important events of the log: debug, info (the default), warn, error,"
    " critical",
    "log-format": "text (the default), or json: one object a line, for machines",
}
"""The options of both commands."""


class ServeOptions(usage.Options):
    """The options of ``serve``.  All of them are options of its configuration as well."""

    synopsis = "[options]"
    longdesc = (
        "A token-sockjs server. Without options: in memory, with the actions echo and whoami,"
        " for everybody on this machine. A file has all options; those given here go before it."
        " The file, and the certificates that it names, are read again at SIGHUP."
        "\n\nThe limits, and their defaults: "
        + ", ".join(f"{field.name}={field.default}" for field in fields(Limits))
    )
    optParameters = _parameters(
        {
            "config": "The configuration, TOML, with what has no option here, such as hooks, a"
            " filter and TLS: see docs/serve.rst",
            "listen": "Where to listen: a Twisted endpoint string, such as tcp:8080; by default"
            f" {EMBEDDED_LISTEN}",
            "redis": "Share tokens and channels with other servers: a URL such as"
            " redis://127.0.0.1:6379/0. A password belongs into the configuration: all of this"
            " machine can read an option",
            "namespace": "Prefix of all keys and channels in Redis",
            "actions": "module:attribute of a mapping of names to functions (data, peer), or of a"
            " function that returns one",
            "authentication": "module:attribute of a function of the token request that returns"
            " who that is; demo lets everybody in as whoever they say they are, which has to be"
            " said where --listen is not for this machine alone",
            "limits-for": "module:attribute of a function of an identity that returns the Limits"
            " of that peer, such as a bridge, or None for those of all",
            "drain-delay": "Seconds from SIGTERM for which /readyz answers 503 and everything is"
            " still served; by default 0",
            "drain": "Seconds over which all peers are then closed, one after the other; by"
            " default 5 with --redis, and else 0",
            "admin": "Where to have /healthz, /readyz and /metrics: an endpoint string that"
            " clients do not reach, such as tcp:9090:interface=127.0.0.1",
            "admin-key-file": "A file with the key of the admin pages, which they need where"
            " other machines reach them",
            **_OF_THE_LOG,
        }
    )
    optFlags = [
        ["check", None, "Only say whether the configuration is good; start nothing"],
        [
            *("shared-with-node", None),
            "Instead of --namespace: share Redis with servers of node-token-sockjs",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Before Python 3.13 a docstring keeps the indentation of its lines.
        self.docs = {name: " ".join(text.split()) for name, text in self.docs.items()}
        self._lists: dict[str, list[str]] = {}
        self._limits: dict[str, str] = {}
        self._redis: str | None = None

    def opt_allowed_origin(self, origin: str) -> None:
        """
        Let pages of this origin in, such as https://app.example.com, besides the server's
        own; * for all.  It may be given several times.
        """
        self._lists.setdefault("allowed-origin", []).append(origin)

    def opt_allowed_host(self, host: str) -> None:
        """
        Answer requests for this host, such as app.example.com, also where they come to a
        loopback address, as from a proxy on this machine.  It may be given several times.
        """
        self._lists.setdefault("allowed-host", []).append(host)

    def opt_trusted_proxy(self, network: str) -> None:
        """
        Believe the proxies of this network, such as 10.0.0.0/8 or 127.0.0.1, or unix for UNIX
        sockets, who the client is: X-Forwarded-For, Forwarded, X-Forwarded-Proto.  It may be
        given several times.
        """
        self._lists.setdefault("trusted-proxy", []).append(network)

    def opt_limit(self, limit: str) -> None:
        """
        Set a limit, as NAME=VALUE such as channels=100; they are listed below.  It may be given
        several times.
        """
        name, equals, value = limit.partition("=")
        if not equals:
            example = "it must be NAME=VALUE, such as channels=100"
            raise usage.UsageError(f"--limit {shorten(limit)}: {example}")
        self._limits[name] = value

    def postOptions(self) -> None:
        """Take the URL of a Redis out, which may hold a password: options can be shown."""
        self._redis = self.pop("redis")
        if self._redis is None and (self["namespace"] is not None or self["shared-with-node"]):
            option = "namespace" if self["namespace"] is not None else "shared-with-node"
            raise usage.UsageError(f"--{option} needs --redis")
        if self["admin-key-file"] is not None and self["admin"] is None:
            raise usage.UsageError("--admin-key-file needs --admin")

    def document(self) -> Document:
        """
        What the file says, with the options that were given in the place of its own.

        :raises ConfigError: if the file cannot be read.
        """
        config = self["config"]
        document = Document("", "") if config is None else Document.read(config)
        if self._redis is not None:
            document.give("redis", "url", self._redis, "--redis")
        _give(document, self, _IN_SECTIONS)
        for name, values in self._lists.items():
            option = f"{name.replace('-', '_').replace('proxy', 'proxie')}s"
            everyone = name == "allowed-origin" and values == ["*"]
            document.give("server", option, "*" if everyone else values, f"--{name}")
        for name, value in self._limits.items():
            document.give("limits", name, _number(value), f"--limit {name}")
        return document


def _give(
    document: Document,
    options: usage.Options,
    names: Iterable[tuple[str, str, str, Callable[[Any], Any]]],
) -> None:
    """Put those that were given in place of the file's."""
    for section, option, name, read in names:
        value = options[name]
        if value is not None and value != 0:  # as a flag is that was not given
            shown = f" {value}" if name in ("listen", "admin") else ""
            document.give(section, option, read(value), f"--{name}{shown}")


def _number(text: str) -> int | float | str:
    """The number that a text is; what is none is left to be refused."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


_LOG_SECTION = (("log", "level", "log-level", str), ("log", "format", "log-format", str))
_IN_SECTIONS = (
    ("server", "listen", "listen", str),
    ("server", "authentication", "authentication", str),
    ("server", "actions", "actions", str),
    ("server", "limits_for", "limits-for", str),
    ("server", "drain", "drain", _number),
    ("server", "drain_delay", "drain-delay", _number),
    ("redis", "namespace", "namespace", str),
    ("redis", "shared_with_node", "shared-with-node", bool),
    ("admin", "listen", "admin", str),
    ("admin", "key", "admin-key-file", lambda path: {"file": path}),
    *_LOG_SECTION,
)
"""
Section and name of options in a file, their names on the command line, and what their texts mean.
"""


class BridgeOptions(usage.Options):
    """The options of ``bridge``: the file of the configuration, which has all others as well."""

    synopsis = "--config bridge.toml [options]"
    longdesc = (
        "A bridge between a token-sockjs server and programs that speak WAMP or HTTP. It reads its"
        " configuration again at SIGHUP."
    )
    optParameters = _parameters(
        {"config": "The configuration, TOML: see docs/bridge.rst", **_OF_THE_LOG}
    )
    optFlags = [
        ["check", None, "Only say whether the configuration is good; start nothing"],
    ]

    def postOptions(self) -> None:
        """Refuse a command line without ``--config``."""
        if self["config"] is None:
            raise usage.UsageError("bridge needs --config")

    def document(self) -> Document:
        """
        What the file says, with the options that were given in the place of its own.

        :raises ConfigError: if the file cannot be read.
        """
        document = Document.read(self["config"])
        _give(document, self, _LOG_SECTION)
        return document


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
            if self.parent is not None:
                limit_log(self.parent)
        except usage.UsageError as problem:
            command = f" {self.subCommand}" if self.subCommand else ""
            fail(f"{problem} (see twistd tokensock{command} --help)", 2)
