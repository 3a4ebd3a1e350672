"""
A configuration that is read again while its service runs.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from attrs import define, field
from msgspec import Struct
from twisted.logger import Logger

from ..support.systemd import SystemdNotifier
from .document import ConfigError

__all__ = ["Refused", "Reloading", "changed"]

C = TypeVar("C")


class Refused(NamedTuple):
    """
    A configuration that was not taken.

    :ivar reason: the first thing that is wrong with it.
    :ivar since: seconds by the reactor's clock.
    """

    reason: str
    since: float


@define(eq=False, repr=False)
class Reloading(Generic[C]):
    """
    Reads a configuration again at SIGHUP.  One that cannot be used changes nothing.

    :param program: whose events of the log begin with this, such as ``bridge``.
    :param path: the file, for people.
    :param load: reads and checks it, or raises :exc:`~.document.ConfigError`.
    :param apply: puts it in force, or refuses it with :exc:`~.document.ConfigError`.  It returns
        the paths of what has changed: what is in force now, and what is after a restart.
    :param reactor: in whose turns that is done.
    :param notifier: tells systemd.
    :ivar refused: the configuration that was read last, if it was not taken.
    """

    _log = Logger()

    _program: str
    _path: str
    _load: Callable[[], C]
    _apply: Callable[[C], tuple[Iterable[str], Iterable[str]]]
    _reactor: Any
    _notifier: SystemdNotifier
    _obeys: bool = field(init=False, default=False)
    _previous_handler: Any = field(init=False, default=None)
    refused: Refused | None = field(init=False, default=None)

    def start(self) -> None:
        """Obey SIGHUP from now on."""
        self._obeys = True
        self._previous_handler = signal.signal(signal.SIGHUP, self._hang_up)

    def stop(self) -> None:
        """
        Take no notice of SIGHUP from now on: whatever a reload would start, nobody would stop,
        and what is in flight must not end by it.
        """
        if self._obeys:
            self._obeys = False
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def end(self) -> None:
        """Leave SIGHUP to whom it was before."""
        self._obeys = False
        if self._previous_handler is not None:
            signal.signal(signal.SIGHUP, self._previous_handler)
            self._previous_handler = None

    def _hang_up(self, *_: object) -> None:
        self._reactor.callFromThread(self.reload)

    def reload(self) -> bool:
        """
        Read the configuration again, and put it in force.

        :return: whether it was taken.
        """
        if not self._obeys:
            return False
        self._notifier.reloading()
        try:
            taken, later = self._apply(self._load())
        except ConfigError as error:
            self._refuse(error)
            return False
        self.refused = None
        self._notifier.reloaded("running")
        self._log.info(
            "reloaded {path}: {taken}",
            event=f"{self._program}.reloaded",
            path=self._path,
            taken=", ".join(taken) or "nothing that can change has changed",
        )
        for path in later:
            self._log.warn(
                "{changed}: a change of it takes a restart; --check says whether it is good",
                event=f"{self._program}.needs_restart",
                changed=path,
            )
        return True

    def _refuse(self, error: ConfigError) -> None:
        for problem in error.problems:
            self._log.error(
                "not reloaded: {problem}",
                event=f"{self._program}.not_reloaded",
                problem=str(problem),
            )
        self.refused = Refused(f"not reloaded: {error.problems[0]}", self._reactor.seconds())
        self._notifier.reloaded("running; the changed configuration was refused")


def changed(before: Struct, after: Struct) -> list[str]:
    """
    :param before: a configuration.
    :param after: another one of the same type.
    :return: the paths of what differs: of options in sections that both have, and of sections
        that one of them has.
    """
    found = []
    for name in before.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if old is None or new is None:
            found.append(name)
            continue
        for option in old.__struct_fields__:
            if getattr(old, option) != getattr(new, option):
                found.append(f"{name}.{option}")
    return found
