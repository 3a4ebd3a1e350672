"""
The URL of a Redis, or of the sentinels that know where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from ...errors import InvalidOption

__all__ = ["Address", "RedisURL"]

Address: TypeAlias = tuple[str, int]
"""A host and a port."""

_SENTINELS = ("redis+sentinel", "rediss+sentinel")
_SCHEMES = ("redis", "rediss", "unix", *_SENTINELS)


@dataclass(frozen=True, slots=True)
class RedisURL:
    """
    Where Redis is; its text holds no password.

    :ivar addresses: of Redis, or of its sentinels.
    :ivar path: of a UNIX socket.
    :ivar master: the name under which the sentinels know it.
    """

    scheme: str
    addresses: tuple[Address, ...]
    path: str
    master: str
    database: int
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)

    def __str__(self) -> str:
        where = ",".join(f"{host}:{port}" for host, port in self.addresses) or self.path
        if self.master:
            where = f"{where}/{self.master}"
        return f"{self.scheme}://{where} database {self.database}"

    @property
    def tls(self) -> bool:
        """Whether it speaks TLS."""
        return self.scheme.startswith("rediss")

    @classmethod
    def parse(cls, url: object) -> RedisURL:
        """
        :raises InvalidOption: if it is not valid.  Nothing of it is quoted: it may hold a
            password.
        """
        if not isinstance(url, str):
            raise InvalidOption("the Redis URL must be text")
        scheme, _, rest = url.partition("://")
        if scheme not in _SCHEMES:
            forms = "redis://, rediss://, redis+sentinel://, rediss+sentinel:// or unix://"
            raise InvalidOption(f"the Redis URL must begin with {forms}")
        is_sentinel = scheme in _SENTINELS
        # Several hosts are none to urlsplit(): the first alone stays there.
        authority, slash, path = rest.partition("/")
        credentials, at, hosts = authority.rpartition("@")
        first, *others = hosts.split(",") if is_sentinel else [hosts]
        try:
            parts = urlsplit(f"{scheme}://{credentials}{at}{first}{slash}{path}")
            names = (first, *others)
            port = 26379 if is_sentinel else 6379
            addresses = () if scheme == "unix" else tuple(_address(each, port) for each in names)
        except ValueError:
            raise InvalidOption("the host or the port in the Redis URL is not valid") from None
        in_path = scheme in ("redis", "rediss")
        query = parse_qs(parts.query).get("db", ["0"])[0]
        database = parts.path.strip("/") or "0" if in_path else query
        if not database.isascii() or not database.isdigit():
            raise InvalidOption("the database in the Redis URL must be a number")
        if scheme == "unix" and not parts.path:
            raise InvalidOption("the Redis URL has no path: unix:///var/run/redis.sock")
        master = unquote(parts.path.strip("/")) if is_sentinel else ""
        if is_sentinel and not master:
            form = "redis+sentinel://HOST:26379,HOST:26379/MASTER"
            raise InvalidOption(f"the Redis URL has no name of a master: {form}")
        return cls(
            scheme=scheme,
            addresses=addresses,
            path=parts.path,
            master=master,
            database=int(database),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


def _address(text: str, port: int) -> Address:
    parts = urlsplit(f"//{text}")
    host = parts.hostname or "127.0.0.1"
    host.encode("idna")  # whose error is a ValueError, too
    return host, parts.port or port
