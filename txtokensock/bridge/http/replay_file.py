"""
The signed requests that came, in a file: what was taken before a restart stays taken.

A line each, in two generations: ``PATH`` and ``PATH.old``.  When all that the older one holds
is too old to come again, the newer one takes its place, so that nothing is ever rewritten and
both stay small.  Nothing is synchronized: a line survives the end of the process, however
that comes, but not a loss of power in the seconds before the system has written it.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from math import inf
from pathlib import Path

from ...errors import InvalidOption
from ..file_lock import FileLock

__all__ = ["ReplayFile"]

_MAGIC = b"txtokensock signed requests 1 "
_NUMBER = re.compile(rb"-inf|-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
_GENERATION = 1000
"""Lines before which a generation does not end: each end costs a rename."""


class ReplayFile:
    """
    :param path: of the file; it is made when the first request comes.
    :ivar floor: seconds since the epoch; of what was signed earlier nothing may be known.
    """

    def __init__(self, path: str) -> None:
        # Where the process runs may change between its start and the first request.
        self._path = os.path.abspath(path)
        self._old_path = f"{self._path}.old"
        self._lock = FileLock(self._path, "the file of signed requests")
        self.floor = -inf
        self._newest, self._lines = -inf, 0
        self._old_newest = -inf

    def open(self) -> list[tuple[bytes, bytes, float]]:
        """
        Have the file for this bridge alone: another one would take again what came here.

        :return: the requests of both generations: key, digest and time.
        :raises InvalidOption: if they cannot be read, or written to, or another bridge does.
        """
        try:
            self._lock.acquire()
            return list(self._read())
        except InvalidOption as problem:
            self.close()
            raise InvalidOption(f"http.signed_requests: {problem}") from None

    def close(self) -> None:
        """Another bridge may have it."""
        self._lock.release()

    def _read(self) -> Iterator[tuple[bytes, bytes, float]]:
        try:
            for key, digest, time in self._generation(self._old_path):
                self._old_newest = max(self._old_newest, time)
                yield key, digest, time
            for key, digest, time in self._generation(self._path):
                self._newest = max(self._newest, time)
                self._lines += 1
                yield key, digest, time
            if os.path.exists(self._path):  # else it is made by whoever we are when it is needed
                os.close(self._open())
        except OSError as problem:
            raise InvalidOption(f"{self._path} cannot be used: {problem.strerror}") from None

    def _generation(self, path: str) -> Iterator[tuple[bytes, bytes, float]]:
        try:
            header, *lines = Path(path).read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        if not header and not lines:
            return
        floor = _NUMBER.fullmatch(header.removeprefix(_MAGIC))
        if not header.startswith(_MAGIC) or floor is None:
            raise InvalidOption(f"{path} is a file of something else")
        self.floor = max(self.floor, float(floor[0]))
        for line in lines:
            try:
                time, key, digest = line.split(b" ")
                yield bytes.fromhex(key.decode()), bytes.fromhex(digest.decode()), float(time)
            except ValueError:
                continue  # empty, or cut off: then that request was not taken

    def append(self, key: bytes, digest: bytes, time: float, oldest: float) -> None:
        """
        Remember one; what it asks for is done only after that.

        :param oldest: what is from before this time is refused anyway.
        :raises OSError: if it cannot be written.
        """
        if self._lines >= _GENERATION and oldest > self._old_newest:
            self._end_generation(oldest)
        # A line that was cut off, when the disk was full, ends where the next one begins.
        line = b"\n%s %s %s\n" % (repr(time).encode(), key.hex().encode(), digest.hex().encode())
        descriptor = self._open()
        try:
            _write(descriptor, line)
        finally:
            os.close(descriptor)
        self._newest = max(self._newest, time)
        self._lines += 1

    def _end_generation(self, floor: float) -> None:
        os.replace(self._path, self._old_path)
        self.floor = floor
        self._old_newest, self._newest, self._lines = self._newest, -inf, 0

    def _open(self) -> int:
        """Other users have no business with it, also where they had."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            if os.fstat(descriptor).st_mode & 0o077:
                os.fchmod(descriptor, 0o600)
            if os.fstat(descriptor).st_size == 0:
                _write(descriptor, _MAGIC + repr(self.floor).encode() + b"\n")
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _write(descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
