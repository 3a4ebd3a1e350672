"""
What a process holds, by Linux's account.
"""

from __future__ import annotations

import ctypes
import gc
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Held", "die_with_parent", "give_back", "held_by", "peak", "processor_seconds"]

_PR_SET_PDEATHSIG = 1
_KILL = 9


@dataclass(frozen=True)
class Held:
    """
    :ivar resident: bytes of memory that are in RAM, ``VmRSS``.
    :ivar files: open files, sockets and pipes.
    """

    resident: int
    files: int

    def __str__(self) -> str:
        return f"{self.resident / 2**20:.1f} MiB resident, {self.files} open files"


def held_by(pid: int) -> Held:
    """What a process of ours holds now."""
    return Held(_status(pid, "VmRSS"), len(os.listdir(f"/proc/{pid}/fd")))


def peak() -> int:
    """The most bytes that this process ever had in memory, ``VmHWM``."""
    return _status(os.getpid(), "VmHWM")


def _status(pid: int, field: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def processor_seconds(pid: int) -> float:
    """The processor time that a process of ours took so far."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def give_back() -> int:
    """
    Collect garbage, and have the allocator return what is free to the system, so that
    what is still resident is what is still needed.

    :return: how many objects are alive.
    """
    gc.collect()
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return len(gc.get_objects())


def die_with_parent() -> None:
    """
    This process is killed when its parent is gone, however that ends, also while stopped: where
    the system is Linux.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, _KILL)
