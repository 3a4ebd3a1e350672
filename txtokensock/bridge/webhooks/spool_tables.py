"""
What the spool keeps, as functions of a cursor, each inside somebody's transaction.  The
tables are in :mod:`.schema`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .schema import Cursor

__all__ = [
    "Delivery",
    "SpoolLimits",
    "Stored",
    "append",
    "begin",
    "bury",
    "drop",
    "finish",
    "postpone",
    "retry",
    "stored",
    "totals",
    "uncertain",
    "untouched",
]

Kind: TypeAlias = Literal["waiting", "dead"]


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """
    How many messages of a rule may wait.

    :ivar messages: their number.
    :ivar bytes: of bodies that wait.
    :ivar drop_oldest: makes room for a new message, instead of refusing it.
    """

    messages: int
    bytes: int
    drop_oldest: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    A message on its way to one webhook.

    :ivar delivery: its id for receivers, the same at each attempt.
    :ivar rule: the name of its rule.
    :ivar queued: seconds since the epoch at which it came into the queue.
    :ivar headers: that the message sets, see :meth:`.Target.headers_of`.
    :ivar body: of the request.
    :ivar id: its place in the queue, where it has one.
    :ivar attempts: how many there were, or with this one are.
    """

    delivery: str
    rule: str
    queued: float
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    id: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A row, for people who look at the spool."""

    kind: Kind
    delivery: str
    rule: str
    queued: float
    attempts: int
    error: str
    body: bytes = field(repr=False)


def append(cursor: Cursor, delivery: Delivery, limits: SpoolLimits) -> int:
    """
    Put a message at the end of its rule's queue.

    :return: how many messages were lost for it, itself included.
    """
    size = len(delivery.body)
    if size > limits.bytes:
        return 1  # no room that could be made is enough
    dropped = 0
    while _is_full(cursor, delivery.rule, size, limits):
        if not limits.drop_oldest or not _drop_oldest(cursor, "waiting", delivery.rule):
            return dropped + 1
        dropped += 1
    cursor.execute(
        "INSERT INTO waiting (delivery, rule, queued, headers, body, size)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            delivery.delivery,
            delivery.rule,
            delivery.queued,
            json.dumps(delivery.headers),
            delivery.body,
            size,
        ),
    )
    return dropped


def _is_full(cursor: Cursor, rule: str, size: int, limits: SpoolLimits) -> bool:
    messages, bytes_ = _total(cursor, "waiting", rule)
    return messages >= limits.messages or bytes_ + size > limits.bytes


def _total(cursor: Cursor, kind: Kind, rule: str) -> tuple[int, int]:
    cursor.execute("SELECT messages, bytes FROM totals WHERE kind = ? AND rule = ?", (kind, rule))
    return cursor.fetchone() or (0, 0)


def _drop_oldest(cursor: Cursor, kind: Kind, rule: str) -> bool:
    # What is in flight may be accepted already: it is no candidate.
    spare = "AND NOT in_flight" if kind == "waiting" else ""
    cursor.execute(
        f"DELETE FROM {kind} WHERE id ="
        f" (SELECT id FROM {kind} WHERE rule = ? {spare} ORDER BY id LIMIT 1)",
        (rule,),
    )
    return cursor.rowcount > 0


def begin(cursor: Cursor, rule: str, after: int = 0) -> Delivery | None:
    """
    Take the first message of a rule for an attempt; it stays, marked as in flight.

    :param after: only what has a higher ``id``: the rest is settled, on disk or not yet.
    :return: the message, or None if there is none.
    """
    delivery = first(cursor, rule, after)
    if delivery is not None:
        cursor.execute(
            "UPDATE waiting SET attempts = attempts + 1, in_flight = 1 WHERE id = ?",
            (delivery.id,),
        )
    return delivery


def first(cursor: Cursor, rule: str, after: int = 0) -> Delivery | None:
    """As :func:`begin`, but nothing is written: for a disk that is full."""
    cursor.execute(
        "SELECT id, delivery, queued, headers, body, attempts FROM waiting"
        " WHERE rule = ? AND id > ? ORDER BY id LIMIT 1",
        (rule, after),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    id, delivery, queued, headers, body, attempts = row
    return Delivery(
        delivery, rule, queued, bytes(body), json.loads(headers), id=id, attempts=attempts + 1
    )


def finish(cursor: Cursor, delivery: Delivery) -> None:
    """It was accepted: forget it."""
    cursor.execute("DELETE FROM waiting WHERE id = ?", (delivery.id,))


def postpone(cursor: Cursor, delivery: Delivery, error: str) -> None:
    """It was not accepted, and stays the first of its rule."""
    cursor.execute(
        "UPDATE waiting SET in_flight = 0, error = ? WHERE id = ?", (error, delivery.id)
    )


def untouched(cursor: Cursor, delivery: Delivery) -> None:
    """It was not even sent: as before :func:`begin`."""
    cursor.execute(
        "UPDATE waiting SET in_flight = 0, attempts = attempts - 1 WHERE id = ?", (delivery.id,)
    )


def bury(cursor: Cursor, delivery: Delivery, error: str, died: float, limit: int) -> int:
    """
    Give a message up.

    :return: how many older dead letters were dropped to make room.
    """
    dropped = 0
    while _total(cursor, "dead", delivery.rule)[0] >= limit:
        _drop_oldest(cursor, "dead", delivery.rule)
        dropped += 1
    cursor.execute(
        "INSERT INTO dead (delivery, rule, queued, headers, body, size, attempts, error, died)"
        " SELECT delivery, rule, queued, headers, body, size, attempts, ?, ?"
        " FROM waiting WHERE id = ?",
        (error, died, delivery.id),
    )
    finish(cursor, delivery)
    return dropped


def uncertain(cursor: Cursor) -> dict[str, int]:
    """
    What was in flight when the last process ended, by rule: it may have been accepted, and
    will be sent again.  Asking clears the marks.
    """
    cursor.execute("SELECT rule, count(*) FROM waiting WHERE in_flight GROUP BY rule")
    counts = dict(cursor.fetchall())
    if counts:
        cursor.execute("UPDATE waiting SET in_flight = 0 WHERE in_flight")
    return counts


def totals(cursor: Cursor, kind: Kind) -> dict[str, int]:
    """How many messages there are of that kind, by rule."""
    cursor.execute("SELECT rule, messages FROM totals WHERE kind = ?", (kind,))
    return dict(cursor.fetchall())


# -- for people


def _selection(rule: str | None, deliveries: list[str]) -> tuple[str, list[str]]:
    clauses, parameters = ["1"], []
    if rule is not None:
        clauses.append("rule = ?")
        parameters.append(rule)
    if deliveries:
        clauses.append(f"delivery IN ({','.join('?' * len(deliveries))})")
        parameters += deliveries
    return " AND ".join(clauses), parameters


def stored(cursor: Cursor, kind: Kind, rule: str | None, limit: int) -> Iterator[Stored]:
    """The oldest rows of that kind, of one rule or of all."""
    where, parameters = _selection(rule, [])
    cursor.execute(
        f"SELECT delivery, rule, queued, attempts, error, body FROM {kind} WHERE {where}"
        " ORDER BY id LIMIT ?",
        [*parameters, limit],
    )
    while (row := cursor.fetchone()) is not None:
        yield Stored(kind, *row)


def retry(cursor: Cursor, rule: str | None, deliveries: list[str], now: float) -> int:
    """
    Put dead letters at the end of their queues again, with all their attempts ahead.

    :return: how many.
    """
    where, parameters = _selection(rule, deliveries)
    cursor.execute(
        "INSERT INTO waiting (delivery, rule, queued, headers, body, size)"
        f" SELECT delivery, rule, ?, headers, body, size FROM dead WHERE {where} ORDER BY id",
        [now, *parameters],
    )
    count = cursor.rowcount
    cursor.execute(f"DELETE FROM dead WHERE {where}", parameters)
    return count


def drop(cursor: Cursor, kind: Kind, rule: str | None, deliveries: list[str]) -> int:
    """
    Forget messages for good, save one that is in flight.

    :return: how many.
    """
    where, parameters = _selection(rule, deliveries)
    spare = " AND NOT in_flight" if kind == "waiting" else ""
    cursor.execute(f"DELETE FROM {kind} WHERE {where}{spare}", parameters)
    return cursor.rowcount
