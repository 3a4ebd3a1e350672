"""
Which messages are our own, come back.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.examples import examples
from txtokensock.bridge.wamp import echo as wamp_echo
from txtokensock.bridge.wamp.echo import Echoes
from txtokensock.errors import InvalidData

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)

NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)


def through_javascript(data: Any) -> Any:
    """What the Node server makes of it: text is published raw, and read as JSON."""
    text = data if isinstance(data, str) else json.dumps(data)
    try:
        return json.loads(text, parse_int=lambda digits: int(float(digits)))
    except ValueError:
        return text


class EchoTests(SynchronousTestCase):
    """One channel's echoes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.echoes = Echoes(self.clock.seconds, 30)

    def test_once(self) -> None:
        """A message is taken for an echo as often as it was published."""
        self.echoes.expect({"a": 1})
        self.echoes.expect({"a": 1})
        self.assertEqual([self.echoes.take({"a": 1}) for _ in range(3)], [True, True, False])

    def test_nothing_is_left(self) -> None:
        """What came back, was refused or never came is not remembered: no content is."""
        for number in range(30):
            self.echoes.expect(number)
            if number % 3:
                self.assertTrue(self.echoes.take(number))
        self.echoes.forget(self.echoes.expect("refused"))
        self.clock.advance(30)
        self.assertFalse(self.echoes.take("more"))
        self.assertEqual((len(self.echoes), self.echoes._by_form), (0, {}))

    def test_other(self) -> None:
        """What was not published is none."""
        self.echoes.expect([1])
        for other in ([2], 1, "[1]", {"0": 1}, None):
            self.assertFalse(self.echoes.take(other))

    def test_forms(self) -> None:
        """What JavaScript makes of numbers, of the order of keys and of text is the same."""
        for sent, back in [
            (1.0, 1),
            (2**53 + 1, 2**53),
            (-0.0, 0),
            ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
            ("123", 123),
            ("123", "123"),
            ('{"q": 1}', {"q": 1}),
            ("plain", "plain"),
            ("", ""),
            ((1, 2), [1, 2]),
            ({"a": 1.0, "b": 2}, {"a": 1, "b": 2.0}),
            ([[1.0]], [[1]]),
            (1e5, 100000),
            (1e16, 10**16),
            (10**22, 1e22),
            (-(2**53) - 1, -(2**53)),
            ([2**53 - 1, 0.5], [2**53 - 1, 0.5]),
            (["3e4,1.0", 10**400], ["3e4,1.0", None]),
        ]:
            self.echoes.expect(sent)
            self.assertTrue(self.echoes.take(back), sent)
            self.assertEqual(len(self.echoes), 0)
        self.assertFalse(self.echoes.take(True))

    def test_only_numbers_are_looked_at(self) -> None:
        """Python looks at a message only where JSON may write one of its numbers in two ways."""
        self.patch(wamp_echo, "_normal", self.fail)
        for data in (
            {"a": [1, -2, 0.5, 1.5e-7, True, None], "b": "text"},
            ["1.0", "3e4", "12345678901234567890", {"1.0": "2e9 of them, or 3.0 more"}, 1e22],
            "5e3a9f00-1e16",
            123456789012345,
            [0.12345678901234567],
        ):
            self.echoes.expect(data)
            self.assertTrue(self.echoes.take(data), data)

    @examples(300)
    @given(st.recursive(NUMBERS, lambda inner: st.lists(inner, max_size=3)))
    def test_numbers(self, sent: Any) -> None:
        """However JavaScript writes a number, it is the same."""

        def javascript(value: Any) -> Any:
            if isinstance(value, list):
                return list(map(javascript, value))
            number = float(value)
            return int(number) if number.is_integer() and abs(number) < 1e21 else number

        for json_text in ("kept", "read"):
            echoes = Echoes(self.clock.seconds, 30, json_text)
            echoes.expect(sent)
            self.assertTrue(echoes.take(javascript(sent)), sent)

    def test_true_is_not_one(self) -> None:
        """Python's equality does not decide."""
        self.echoes.expect(1)
        self.assertFalse(self.echoes.take(True))

    def test_forgotten(self) -> None:
        """What was refused is not waited for, also among equal ones."""
        one, _ = self.echoes.expect("x"), self.echoes.expect("x")
        self.echoes.forget(one)
        self.echoes.forget(one)
        self.assertEqual([self.echoes.take("x") for _ in range(2)], [True, False])

    def test_json_text(self) -> None:
        """Text that is JSON comes back as text, as what it says, or as either."""
        for how, forms in (("kept", ["5"]), ("read", [5]), ("either", ["5", 5])):
            for form in ("5", 5):
                echoes = Echoes(self.clock.seconds, 30, how)
                echoes.expect("5")
                self.assertEqual(echoes.take(form), form in forms, (how, form))

    def test_json_text_of_large_numbers(self) -> None:
        """JavaScript reads a number that is too large as infinite, which it writes as null."""
        for text, form in (("1e400", None), ("[1, -1e999]", [1, None]), ("1e400x", "1e400x")):
            self.echoes.expect(text)
            self.assertTrue(self.echoes.take(form), text)
        for text in ("Infinity", "NaN", "[" * 100_000):
            self.echoes.expect(text)
            self.assertFalse(self.echoes.take(None), text)

    def test_expires(self) -> None:
        """What did not come back in time swallows nothing later, and is counted."""
        self.echoes.expect("x")
        self.clock.advance(30)
        self.assertFalse(self.echoes.take("x"))
        self.assertEqual((self.echoes.missing, len(self.echoes)), (1, 0))

    def test_cleared(self) -> None:
        """Nothing comes back after the connection."""
        self.echoes.expect("12")
        self.echoes.clear()
        self.assertFalse(self.echoes.take("12"))
        self.assertFalse(self.echoes.take(12))

    def test_no_json(self) -> None:
        """What cannot be published is refused, and not waited for."""
        self.assertRaises(InvalidData, self.echoes.expect, float("nan"))
        self.assertEqual(len(self.echoes), 0)

    def test_deep(self) -> None:
        """Nesting does not exhaust the stack."""
        deep: Any = 1
        for _ in range(600):
            deep = [deep]
        self.echoes.expect(deep)
        self.assertTrue(self.echoes.take(deep))

    def test_bounded(self) -> None:
        """A server that gives nothing back does not fill the memory."""
        self.patch(wamp_echo, "_MOST", 1000)
        for number in range(1010):
            self.echoes.expect(number % 7)
        self.assertLessEqual(len(self.echoes), 1000)
        self.assertEqual(self.echoes.missing, 10)

    @examples(200)
    @given(st.data(), st.booleans())
    def test_exactly_the_others(self, data: st.DataObject, javascript: bool) -> None:
        """
        Whatever we and others publish, and however it is interleaved: what is left are
        the messages of the others, each as often as it was published.
        """
        echoes = Echoes(self.clock.seconds, 30, "read" if javascript else "kept")
        pool = data.draw(st.lists(JSON | st.sampled_from(["12", 12]), min_size=1, max_size=3))
        wire: deque[Any] = deque()
        others: Counter[str] = Counter()
        left: Counter[str] = Counter()
        for step in data.draw(st.lists(st.sampled_from(["we", "others", "arrives"]))):
            if step == "arrives" and wire:
                self._arrives(echoes, wire, left)
            elif pool and step != "arrives":
                item = data.draw(st.sampled_from(pool))
                back = through_javascript(item) if javascript else item
                if step == "we":
                    echoes.expect(item)
                else:
                    others[json.dumps(back, sort_keys=True)] += 1
                wire.append(back)
        while wire:
            self._arrives(echoes, wire, left)
        self.assertEqual(left, others)
        self.assertEqual(len(echoes), 0)

    def _arrives(self, echoes: Echoes, wire: deque[Any], left: Counter[str]) -> None:
        message = wire.popleft()
        if not echoes.take(message):
            left[json.dumps(message, sort_keys=True)] += 1
