"""
Receives webhooks of a bridge, checks their signatures, and ignores what it had before::

    export WEBHOOK_SECRET=whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxl
    python examples/webhook_receiver.py [port]

The bridge, which signs them, is given the same secret, see ``webhooks.toml``.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
seen: set[str] = set()  # in earnest, in the transaction that does the work


def is_signed(headers: Message, body: bytes) -> bool:
    """Whether the bridge signed it, and not long ago."""
    id, timestamp = headers.get("Webhook-Id", ""), headers.get("Webhook-Timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 300:
        return False
    content = f"{id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.digest(KEY, content, hashlib.sha256)).decode()
    signatures = headers.get("Webhook-Signature", "").split()
    return any(hmac.compare_digest(each, f"v1,{digest}") for each in signatures)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are used again

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not is_signed(self.headers, body):
            self.answer(401)
        elif self.path == "/price":
            asked = json.loads(body)["data"]
            self.answer(200, {"price": 5 * asked["pieces"]})
        else:
            if self.headers["Webhook-Id"] not in seen:
                seen.add(self.headers["Webhook-Id"])
                print("received", json.loads(body)["message"], flush=True)
            self.answer(204)

    def answer(self, status: int, value: Any = None) -> None:
        content = json.dumps(value).encode() if status != 204 else b""
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


port = int(sys.argv[1]) if sys.argv[1:] else 9000
server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
print("listening", flush=True)
server.serve_forever()
