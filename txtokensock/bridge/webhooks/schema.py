"""
The tables of the spool.

``waiting`` is a queue for each rule, in the order of ``id``; ``dead`` is where deliveries
end that were given up.  ``totals`` counts both, kept by triggers, so that limits cost no
scan and every process that writes agrees on them.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "Cursor", "create"]

SCHEMA_VERSION = 1
"""In ``user_version`` of the database, beside our ``application_id``."""

APPLICATION_ID = 0x74787362

_COLUMNS = """
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery TEXT NOT NULL,
    rule TEXT NOT NULL,
    queued REAL NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    size INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
"""

_TRIGGERS = """
CREATE TRIGGER count_new_{table} AFTER INSERT ON {table} BEGIN
    INSERT INTO totals (kind, rule, messages, bytes) VALUES ('{table}', NEW.rule, 1, NEW.size)
        ON CONFLICT (kind, rule) DO UPDATE
        SET messages = messages + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER count_gone_{table} AFTER DELETE ON {table} BEGIN
    UPDATE totals SET messages = messages - 1, bytes = bytes - OLD.size
        WHERE kind = '{table}' AND rule = OLD.rule;
    DELETE FROM totals WHERE kind = '{table}' AND rule = OLD.rule AND messages = 0;
END;
"""

_SCHEMA = f"""
CREATE TABLE waiting ({_COLUMNS}, in_flight INTEGER NOT NULL DEFAULT 0);
CREATE INDEX waiting_by_rule ON waiting (rule, id);
CREATE TABLE dead ({_COLUMNS}, died REAL NOT NULL);
CREATE INDEX dead_by_rule ON dead (rule, id);
CREATE TABLE totals (
    kind TEXT NOT NULL, rule TEXT NOT NULL, messages INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (kind, rule)
) WITHOUT ROWID;
{_TRIGGERS.format(table="waiting")}
{_TRIGGERS.format(table="dead")}
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""


class Cursor(Protocol):
    """Of a DB-API connection, or the transaction of ``adbapi`` that looks like one."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""

    def execute(self, statement: str, parameters: Any = ..., /) -> Any:
        """Run one SQL statement with its parameters."""

    def fetchone(self) -> Any:
        """The next row of the result, or None after the last."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""


def create(cursor: Cursor) -> None:
    """Make the tables of a new database."""
    statement = ""
    for line in _SCHEMA.splitlines():
        # Triggers hold semicolons; every statement here ends in one at the end of a line
        # that is not indented.
        statement += line + "\n"
        if line.endswith(";") and not line.startswith(" "):
            cursor.execute(statement)
            statement = ""
