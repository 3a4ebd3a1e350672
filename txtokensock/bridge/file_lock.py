"""
Files that one bridge has for itself.
"""

from __future__ import annotations

import fcntl
import os

from ..errors import InvalidOption

__all__ = ["FileLock"]


class FileLock:
    """
    One bridge a file.  The lock is the kernel's: it goes with the process, however that
    ends.

    :param path: of the file; the lock is one beside it, which stays.
    :param what: it is, for people.
    :param error: what :meth:`acquire` raises.
    """

    def __init__(self, path: str, what: str, error: type[InvalidOption] = InvalidOption) -> None:
        self._error = error
        self._path = f"{path}.lock"
        self._what = f"{what} {path}"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """:raises InvalidOption: if another bridge has it, or it cannot be made."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise self._error(f"{self._path} cannot be used: {problem.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise self._error(f"{self._what} is in use by another bridge") from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
