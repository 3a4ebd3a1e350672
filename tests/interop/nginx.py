"""
Debian's nginx as a child process, in front of a server.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from .servers import Server

_CONFIGURATION = """\
daemon off;
master_process off;
error_log stderr notice;
pid {directory}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    map $http_upgrade $connection_upgrade {{
        default upgrade;
        '' '';
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""


class Nginx(Server):
    """
    A reverse proxy that buffers, as nginx does by default.

    :param upstream: URL of the server that it is in front of.
    :ivar url: what a client is told to connect to.
    """

    name = "nginx"

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="txtokensock-nginx-")
        self._file = Path(self._directory.name) / "nginx.conf"
        text = _CONFIGURATION.format(
            directory=self._directory.name, port=self.port, upstream=upstream
        )
        self._file.write_text(text, encoding="ascii")
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return ["nginx", "-c", str(self._file), "-p", self._directory.name]

    def is_ready(self, line: str) -> bool:
        return 'using the "epoll" event method' in line

    async def close(self) -> None:
        await super().close()
        self._directory.cleanup()
