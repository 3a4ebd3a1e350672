"""
One SockJS session of a scripted server.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from attrs import define, field

from ..sockjs.frames import check_close_reason
from .network import MemoryTransport
from .rfc6455 import BINARY, CLOSE, PING, PONG, TEXT, FrameReader, accept_key, encode_frame
from .script import Script

__all__ = ["ScriptedSession"]


@define(eq=False, repr=False, slots=False)
class ScriptedSession:
    """
    The server's end of one session: notes what the client sends, and sends what it is
    told to.

    :ivar path: of the WebSocket.
    :ivar headers: of its handshake, by lower-case names.
    :ivar frames: the SockJS frames that came, each a list of texts.
    :ivar texts: the texts of all frames, in order.
    :ivar messages: the same as decoded JSON, where they are JSON.
    :ivar received: those of ``messages`` that came after ``auth``.
    :ivar authenticated: whether ``auth`` was accepted.
    :ivar pongs: how many answers to :meth:`ping` came.
    :ivar closed_with: the code with which the client closed the WebSocket, or None.
    :ivar open: whether the connection has not ended.
    """

    _script: Script
    _transport: MemoryTransport
    path: str
    headers: dict[str, str]
    frames: list[list[str]] = field(init=False, factory=list)
    texts: list[str] = field(init=False, factory=list)
    messages: list[Any] = field(init=False, factory=list)
    received: list[Any] = field(init=False, factory=list)
    authenticated: bool = field(init=False, default=False)
    pongs: int = field(init=False, default=0)
    closed_with: int | None = field(init=False, default=None)
    open: bool = field(init=False, default=True)
    _reader: FrameReader = field(init=False, factory=FrameReader)
    _close_sent: bool = field(init=False, default=False)

    # -- the script

    def play(self, phase: str) -> None:
        """Do what the script says for a phase."""
        step = getattr(self._script, phase)
        if callable(step):
            step(self)
        elif step in ("accept", "refuse", "garbage"):
            getattr(self, f"{step}_{phase}")()
        elif step != "ignore":
            getattr(self, step.replace(" ", "_"))()

    def accept_handshake(self, *headers: str) -> None:
        """
        101, and then what the script says for ``open``.

        :param headers: more lines; bytes that are not UTF-8 are surrogates, as in ``os.fsdecode``.
        """
        key = accept_key(self.headers["sec-websocket-key"])
        self.send_raw(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {key}\r\n".encode()
            + "".join(f"{line}\r\n" for line in (*headers, "")).encode("utf-8", "surrogateescape")
        )
        # In the next turn, so that even a reset does not take the 101 with it.
        self._script.clock.callLater(0, self.play, "open")

    def refuse_handshake(self) -> None:
        """Answer with 403 Forbidden."""
        self.send_raw(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    def garbage_handshake(self) -> None:
        """Send what is not HTTP."""
        self.send_raw(b"\x00\xff no HTTP at all\r\n\r\n")

    def accept_open(self) -> None:
        """Open the session with an ``o`` frame."""
        self.send_frame("o")

    def refuse_open(self) -> None:
        """``c`` instead of ``o``."""
        self.close(3000, "Go away!")

    def garbage_open(self) -> None:
        """Send what is not a SockJS frame."""
        self.send_frame("?")

    def accept_auth(self) -> None:
        """Check the token, and answer as node-token-sockjs does."""
        request = self.auth_request
        if not self._script.spend_token(request.get("token")):
            self.refuse_auth()
            return
        self.authenticated = True
        hints: dict[str, Any] = {"acks": 1} if self._script.acks else {}
        if self._script.limits is not None:
            hints["limits"] = dict(self._script.limits)
        self.send({**request, "resp": "success", **({"tx": hints} if hints else {})})

    def refuse_auth(self) -> None:
        """An error, and a close."""
        self.send({**self.auth_request, "error": "Token not found"})
        self.close()

    def garbage_auth(self) -> None:
        """Send a message that is not valid JSON."""
        self.send_text("{")

    def accept_close(self) -> None:
        """Answer the close, and close the connection."""
        self.close_websocket(self.closed_with or 1000)
        self.hang_up()

    @property
    def auth_request(self) -> Any:
        """The newest ``auth`` message."""
        return [message for message in self.messages if message.get("rpc") == "auth"][-1]

    # -- sending

    def send(self, *messages: Any) -> None:
        """Send messages, in one frame."""
        self.send_text(*(json.dumps(message) for message in messages))

    def send_text(self, *texts: str) -> None:
        """Send messages that need not be JSON, in one frame."""
        self.send_frame("a" + json.dumps(texts))

    def send_frame(self, frame: str | bytes, opcode: int = TEXT, *, final: bool = True) -> None:
        """Send one WebSocket frame; in text, that of a SockJS frame."""
        payload = frame.encode() if isinstance(frame, str) else frame
        self.send_raw(encode_frame(payload, opcode, final=final))

    def send_binary(self, payload: bytes) -> None:
        """Send a binary WebSocket message."""
        self.send_frame(payload, BINARY)

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._transport.write(data)

    def ping(self) -> None:
        """Send a WebSocket ping."""
        self.send_frame(b"", PING)

    # -- messages of the protocol

    def answer(self, request: Any, resp: Any = None) -> None:
        """Answer a request with a result."""
        self.send({"rpc": request["rpc"], "uuid": request["uuid"], "resp": resp})

    def refuse(self, request: Any, error: Any = "Forbidden") -> None:
        """Answer a request with an error."""
        self.send({"rpc": request["rpc"], "uuid": request["uuid"], "error": error})

    def call(self, name: Any, args: Any = None, fid: str = "fid") -> None:
        """Call an action of the client."""
        data = {"fid": fid, "command": name, "args": args}
        self.send({"internal": True, "command": "rpc", "data": data})

    def subscribed(self, channel: str, **more: Any) -> None:
        """The notice of 2.1.11; with the request as ``more``, that of 3.1.0."""
        data = {**more, "channel": channel}
        self.send({"internal": True, "command": "subscribe", "data": data})

    def unsubscribed(self, channel: str) -> None:
        """The notice of every server."""
        self.send({"internal": True, "command": "unsubscribe", "data": {"channel": channel}})

    def publish(self, channel: str, message: Any) -> None:
        """A message on a channel."""
        self.send({"channel": channel, "message": message})

    # -- the end

    def close(self, code: int = 1000, reason: str = "Normal closure") -> None:
        """Close as sockjs-node does: a ``c`` frame, and a WebSocket close with 1000."""
        self.send_frame("c" + json.dumps([code, reason]))
        self.close_websocket(1000)

    def close_websocket(self, code: int = 1000, reason: str = "") -> None:
        """
        Close the WebSocket, without a ``c`` frame.

        :param code: any, also one that no WebSocket may send.
        :raises InvalidOption: unless the reason is text of at most 123 bytes in UTF-8.
        """
        if not self._close_sent:
            self._close_sent = True
            self.send_frame(struct.pack("!H", code) + check_close_reason(reason), CLOSE)

    def hang_up(self) -> None:
        """Close the connection without a word, after what was sent."""
        self._transport.loseConnection()

    def drop(self) -> None:
        """Reset the TCP connection."""
        self._transport.abortConnection()

    def stop_reading(self) -> None:
        """Leave what the client sends in its buffer."""
        self._transport.pauseProducing()

    def read_again(self) -> None:
        """Read what the client sent, and sends."""
        self._transport.resumeProducing()

    # -- for the connection

    def bytes_received(self, data: bytes) -> None:
        """The client sent bytes."""
        for opcode, payload in self._reader.feed(data):
            if opcode == TEXT:
                texts = json.loads(payload)
                self.frames.append(texts)
                for text in texts:
                    self._message_received(text)
            elif opcode == CLOSE:
                self.closed_with = struct.unpack("!H", payload[:2])[0] if payload else 1005
                self.play("close")
            elif opcode == PONG:
                self.pongs += 1

    def _message_received(self, text: str) -> None:
        self.texts.append(text)
        try:
            message = json.loads(text)
        except ValueError:
            message = text  # another protocol than token-sockjs
        self.messages.append(message)
        if isinstance(message, dict) and message.get("rpc") == "auth":
            self.play("auth")
        else:
            self.received.append(message)
            if self._script.respond is not None:
                self._script.respond(self, message)

    def connection_lost(self) -> None:
        """The connection has ended."""
        self.open = False
