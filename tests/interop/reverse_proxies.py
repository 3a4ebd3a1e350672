"""
Debian's nginx and haproxy as child processes, in front of a server, with the configurations that
the documentation shows: only ports and files are others.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.kit.certificates import self_signed
from tests.kit.ports import ReservedPort
from tests.kit.processes import ROOT, SilentProgram

from .servers import Server

_NGINX = """\
daemon off;
master_process off;
error_log stderr notice;
pid {directory}/pid;
events {{ worker_connections 1000; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{example}
}}
"""


class ReverseProxy(Server):
    """
    A proxy with its default buffering.

    :param upstream: the port of the server that it is in front of.
    :param changes: of its configuration, besides those of ports and files.
    :ivar url: what a client is told to connect to, without TLS.
    :ivar secure_url: the same with TLS, whose certificate is in ``authorities``.
    """

    example: str

    def __init__(self, upstream: int, **changes: str) -> None:
        super().__init__()
        self._plain = ReservedPort()
        self._temporary = tempfile.TemporaryDirectory(prefix=f"txtokensock-{self.name}-")
        self.directory = Path(self._temporary.name)
        self.authorities, self._key = self_signed("127.0.0.1").write(self.directory)
        text = (ROOT / "examples" / self.example).read_text(encoding="ascii")
        for old, new in {
            "127.0.0.1:8080": f"127.0.0.1:{upstream}",
            **self._changes(f"127.0.0.1:{self._plain.number}"),
            **changes,
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self._file = self.directory / self.example
        self._file.write_text(self._whole(text), encoding="ascii")
        self.url = f"http://127.0.0.1:{self._plain.number}"
        self.secure_url = f"https://127.0.0.1:{self.port}"

    def _changes(self, plain: str) -> dict[str, str]:
        """What of the example must be others here; ``plain`` is for clients without TLS."""
        raise NotImplementedError

    def _whole(self, example: str) -> str:
        return example

    async def close(self) -> None:
        await super().close()
        self._plain.release()
        self._temporary.cleanup()


class Nginx(ReverseProxy):
    """With headers that say who the client is."""

    name = "nginx"
    example = "nginx.conf"

    def _changes(self, plain: str) -> dict[str, str]:
        return {
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl; listen {plain};",
            "/etc/ssl/app.example.com.pem": str(self.authorities),
            "/etc/ssl/app.example.com.key": str(self._key),
        }

    def _whole(self, example: str) -> str:
        return _NGINX.format(directory=self.directory, example=example)

    def command(self) -> list[str]:
        return ["nginx", "-c", str(self._file), "-p", str(self.directory)]

    def is_ready(self, line: str) -> bool:
        return 'using the "epoll" event method' in line


class HAProxy(SilentProgram, ReverseProxy):
    """With headers that say who the client is."""

    name = "haproxy"
    example = "haproxy.cfg"

    def _changes(self, plain: str) -> dict[str, str]:
        both = self.directory / "both.pem"
        both.write_bytes(self.authorities.read_bytes() + self._key.read_bytes())
        return {
            "bind :443 ssl crt /etc/haproxy/app.example.com.pem": (
                f"bind 127.0.0.1:{self.port} ssl crt {both}\n    bind {plain}"
            )
        }

    def command(self) -> list[str]:
        return ["haproxy", "-db", "-f", str(self._file)]


class HAProxyTCP(HAProxy):
    """With the PROXY protocol."""

    example = "haproxy-tcp.cfg"
