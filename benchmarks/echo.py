"""
What it costs the WAMP side of a bridge to know its own messages when they come back.

For events of several kinds it prints the microseconds of :meth:`Echoes.expect` and
:meth:`Echoes.take` together, which every event of a channel that goes both ways pays, beside
those of reading and writing the same JSON once::

    python benchmarks/echo.py
"""

from __future__ import annotations

import timeit
from typing import Any

from txtokensock.bridge.wamp.echo import Echoes
from txtokensock.jsontext import dumps, loads

_ROUNDS = 5


def _orders(price: float, count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"3f9a1c2e-{number:04}",
            "item": "A thing, with punctuation: 1.5 kg",
            "price": price,
            "amount": number,
            "tags": ["new", "sale", True],
        }
        for number in range(count)
    ]


EVENTS = {
    "text": "x" * 5800,
    "orders": _orders(9.95, 50),
    "orders, whole prices written as 10.0": _orders(10.0, 50),
    "numbers": list(range(1300)),
    "small": {"a": 1},
}


def _microseconds(do: Any) -> float:
    timer = timeit.Timer(do)
    number, _ = timer.autorange()
    return min(timer.repeat(_ROUNDS, number)) / number * 1e6


def main() -> None:
    """Print the table."""
    for name, event in EVENTS.items():
        text = dumps(event)
        back = loads(text)
        echoes = Echoes(lambda: 0.0, 30)

        def both(event: Any = event, back: Any = back, echoes: Echoes = echoes) -> None:
            echoes.expect(event)
            assert echoes.take(back)

        def json(text: bytes = text, event: Any = event) -> None:
            dumps(loads(text))

        print(
            f"{name:40} {len(text):6} bytes  echo {_microseconds(both):7.1f} us  "
            f"JSON {_microseconds(json):6.1f} us"
        )


if __name__ == "__main__":
    main()
