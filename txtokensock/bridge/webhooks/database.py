"""
The spool's file: found fit, locked, opened.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ...errors import InvalidOption
from .schema import APPLICATION_ID, SCHEMA_VERSION, Cursor, create

__all__ = ["Database", "SQLite", "SpoolUnavailable", "check_format", "connect", "prepare"]

T = TypeVar("T")

_log = Logger()

_SUFFIXES = ("", "-wal", "-shm", "-journal")
"""The spool's file, and those that SQLite puts beside it."""

_BUSY_SECONDS = 30.0
"""How long to wait for another process's transaction, which lasts milliseconds."""


class SpoolUnavailable(InvalidOption):
    """The spool's file cannot be used; the text says why, in one line."""


class Database(Protocol):
    """Runs functions of a cursor, one after the other and each in a transaction."""

    def run(self, function: Callable[[Cursor], T]) -> Deferred[T]:
        """
        :return: fires with the function's result when that is committed; fails with what
            it raised, when all that it did is undone.
        """

    def close(self) -> None:
        """Run no more functions, and close the file."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection with our settings; transactions begin where they are begun."""
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _configure(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    # WAL keeps readers and one writer out of each other's way; with FULL a message that
    # was committed survives a loss of power, not only of the process.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 16777216")


def prepare(path: Path) -> None:
    """
    See that the file is a sound spool, and make it where there is none.

    :raises SpoolUnavailable: if it is not, or cannot be made.
    """
    try:
        # Messages are nobody else's business; SQLite gives its other files the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for suffix in _SUFFIXES:
            _close_to_others(Path(f"{path}{suffix}"))
        with closing(connect(path)) as connection:
            _check(connection, path)
    except (OSError, sqlite3.Error) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise SpoolUnavailable(f"the spool {path} cannot be used: {reason}") from None


def _close_to_others(path: Path) -> None:
    """
    An older file may be open to others: one that was copied, or made under another name.

    :raises SpoolUnavailable: if it stays so.
    """
    mode = 0
    try:
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != os.geteuid():
            raise SpoolUnavailable(
                f"the spool's file {path} belongs to another user ({found.st_uid}), who could"
                " read it whatever its mode is"
            )
        if mode & 0o077 == 0:
            return
        path.chmod(0o600)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise SpoolUnavailable(
            f"the spool's file {path} has the mode {mode:04o}, which lets others in, and it "
            f"cannot be changed to 0600: {problem.strerror}"
        ) from None
    _log.warn(
        "the spool's file {path} had the mode {mode}, which lets others in: it is 0600 now",
        event="webhooks.spool_mode",
        path=str(path),
        mode=f"{mode:04o}",
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        line = " ".join(str(verdict).split())
        raise SpoolUnavailable(f"the spool {path} is corrupt: {line}")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
        create(connection.cursor())
    else:
        check_format(connection, path)
    connection.execute("COMMIT")


def check_format(connection: sqlite3.Connection, path: Path) -> None:
    """
    :raises SpoolUnavailable: if the database is not a spool of this program.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise SpoolUnavailable(f"the spool {path} is a database of another program")
    if version != SCHEMA_VERSION:
        raise SpoolUnavailable(
            f"the spool {path} has format {version}, this program knows {SCHEMA_VERSION}"
        )


class SQLite:
    """
    A :class:`Database` on a thread of its own.

    :param path: of the file, :func:`prepare`\\ d.
    :param reactor: hears of results.
    """

    def __init__(self, path: Path, reactor: Any) -> None:
        # One connection: SQLite has one writer at a time, and order is kept for free.
        self._pool = ConnectionPool(
            "sqlite3",
            str(path),
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cp_min=1,
            cp_max=1,
            cp_openfun=_configure,
            cp_reactor=reactor,
        )

    def run(self, function: Callable[[Cursor], T]) -> Deferred[T]:
        def interaction(cursor: Cursor) -> T:
            cursor.execute("BEGIN IMMEDIATE")
            return function(cursor)

        # adbapi commits, or undoes what an exception left behind.
        running: Deferred[T] = self._pool.runInteraction(interaction)
        return running

    def close(self) -> None:
        """Blocks until what runs is done, at most for one transaction."""
        self._pool.close()
