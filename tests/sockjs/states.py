"""
Walks of state machines: every input in every state.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

if TYPE_CHECKING:
    _Base = SynchronousTestCase
else:
    _Base = object  # a TestCase of its own would be run


def row(inputs: Iterable[str], otherwise: str, **outcomes: str) -> dict[str, str]:
    """
    One row of a table.

    :param otherwise: what comes of the inputs that are not named: as a rule, nothing.
    """
    assert outcomes.keys() <= set(inputs), outcomes
    return dict.fromkeys(inputs, otherwise) | outcomes


class EveryState(_Base):
    """
    The tests of one state machine, to be mixed into a ``TestCase``.

    :cvar states: the enum that the machine has.
    :cvar ways: to each state, by a name: gets a new stage.  A state may have several.
    :cvar inputs: what may happen: gets a stage.
    :cvar expected: for each way and each input the stage's ``outcome`` after it.

    A subclass makes a stage, with ``forget`` and ``outcome``, and knows its ``state``.
    """

    states: ClassVar[type[enum.Enum]]
    ways: ClassVar[Mapping[str, Callable[[Any], object]]]
    inputs: ClassVar[Mapping[str, Callable[[Any], object]]]
    expected: ClassVar[Mapping[str, Mapping[str, str]]]

    def new_stage(self) -> Any:
        """A machine to which nothing has happened."""
        raise NotImplementedError

    def stage(self, way: str) -> Any:
        """A machine in that state, with what was noted before forgotten."""
        stage = self.new_stage()
        self.ways[way](stage)
        stage.forget()
        return stage

    def test_whole(self) -> None:
        """The table has every state, and for each every input."""
        self.assertEqual({self.stage(way).state for way in self.ways}, set(self.states))
        self.assertEqual(list(self.expected), list(self.ways))
        for way, row in self.expected.items():
            self.assertEqual(list(row), list(self.inputs), way)

    def test_every_pair(self) -> None:
        """Each input does in each state what the table says."""
        for way, row in self.expected.items():
            for name, expected in row.items():
                with self.subTest(state=way, input=name):
                    stage = self.stage(way)
                    self.inputs[name](stage)
                    self.assertEqual(stage.outcome, expected)
