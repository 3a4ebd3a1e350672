"""
Whether a Redis serves us, asked without changing anything, and why not.
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from ...errors import shorten

__all__ = ["NotRedis", "check_commands", "check_redis", "is_elsewhere", "is_refusal", "reason"]

_KEEPS = ("OOM", "BUSY", "NOPERM", "ERR")
"""What another connection would meet as well: a full memory, a script, rights, an old Redis."""

_STATES = (
    *("READONLY", "OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "LOADING", "BUSY", "CLUSTERDOWN"),
    *("MOVED", "ASK", "TRYAGAIN", "NOAUTH"),
)
"""Errors that speak of the state of Redis, whatever the command was."""


class NotRedis(Exception):
    """Something else answers at this address."""


async def check_redis(protocol: Any) -> None:
    """
    Ask whether what is connected is a Redis that answers.

    :param protocol: txredisapi's.
    :raises Exception: why not; :func:`reason` has it in words.
    """
    answer = await protocol.ping()
    if answer not in ("PONG", b"PONG", [b"pong", b""]):
        raise NotRedis(f"PING was answered {shorten(repr(answer))}: that is no Redis")


async def check_commands(protocol: Any, key: bytes) -> None:
    """
    Ask whether tokens can be issued and spent, with the commands that do it: rights, memory,
    scripts and failovers hold up these and may let others pass.

    :param key: that of no token.
    :raises Exception: why not; :func:`reason` has it in words.
    """
    try:
        # No lifetime is 0 seconds: Redis says so only where it would take another one.
        await protocol.execute_command("SETEX", key, 0, b"")
    except Exception as problem:
        if not str(problem).startswith("ERR") or "unknown command" in str(problem):
            raise
    await protocol.execute_command("GETDEL", key)


def reason(failure: Failure) -> str:
    """
    What Redis said, in one line.  No key and no value is in its errors, but the arguments of a
    command that it does not know are.
    """
    text = failure.getErrorMessage()
    if text.startswith("ERR unknown command"):
        return "it does not know a command that is needed: Redis 6.2 or later has all of them"
    has_text = text and "[Failure instance" not in text
    return shorten(text if has_text else type(failure.value).__name__)


def is_refusal(why: str, command: str) -> bool:
    """
    Whether an error says that Redis does not serve us, and not that it refuses this one.

    :param command: that was refused.
    """
    return why.startswith(_STATES) or command in ("SETEX", "GETDEL")


def is_elsewhere(why: str) -> bool:
    """Whether another connection may lead to a Redis that serves."""
    return not why.startswith((*_KEEPS, "it does not know"))
