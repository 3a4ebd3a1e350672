"""
What a scripted server does in each phase, and the tokens that it has given out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from twisted.internet.task import Clock

from ..support.providers import AnyFactory
from .host import MemoryHost

__all__ = ["Script", "Step"]

Step: TypeAlias = (
    Literal["accept", "refuse", "ignore", "drop", "hang up", "garbage"] | Callable[[Any], object]
)
"""
What the server does in one phase:

``"accept"``
    what a well-behaved server does;
``"refuse"``
    a regular no: the connection refused, 403, ``c[3000,...]``, "Token not found";
``"ignore"``
    nothing at all;
``"drop"``
    reset the connection;
``"hang up"``
    close it without a word;
``"garbage"``
    an answer that makes no sense;
a function
    anything: it gets the :class:`ScriptedTokenRequest` or the
    :class:`~.scripted_session.ScriptedSession`.
"""

STEPS = ("token_connect", "token", "connect", "handshake", "open", "auth", "close")


class Script(MemoryHost):
    """
    The part of a :class:`~.scripted.ScriptedServer` that its sessions play.

    :ivar acks: whether ``auth`` is answered with the hint that everything is
        acknowledged.
    :ivar limits: the limits that are announced there, such as ``{"message_size": 65536}``, or
        None.
    :ivar respond: called with a session and every message that it receives after
        ``auth``, or None.
    """

    token_connect: Step = "accept"
    token: Step = "accept"
    connect: Step = "accept"
    handshake: Step = "accept"
    open: Step = "accept"
    auth: Step = "accept"
    close: Step = "accept"

    def __init__(self, factory: AnyFactory, clock: Clock | None) -> None:
        super().__init__(factory, clock)
        self.acks = False
        self.limits: Mapping[str, Any] | None = None
        self.respond: Callable[[Any, Any], object] | None = None
        self._issued = 0
        self._valid_tokens: set[str] = set()

    def script(self, **steps: Step) -> None:
        """Set what is done in each of the phases named, and "accept" in all others."""
        unknown = set(steps) - set(STEPS)
        if unknown:
            raise ValueError(f"there is no phase {unknown}: there are {STEPS}")
        for phase in STEPS:
            setattr(self, phase, steps.get(phase, "accept"))

    def issue_token(self) -> str:
        """A new token, valid once."""
        self._issued += 1
        token = f"{self._issued:08x}-5ec2-4e70-8000-000000000000"
        self._valid_tokens.add(token)
        return token

    def spend_token(self, token: object) -> bool:
        """Whether ``token`` was valid; it is not any more."""
        valid = token in self._valid_tokens
        self._valid_tokens.discard(str(token))
        return valid
