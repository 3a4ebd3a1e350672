"""
Old names: each works for one more release, warns, and is listed in ``docs/deprecations.rst``.

Twisted's own :mod:`twisted.python.deprecate` tells since when a name is old, not when it ends.  It
has no list of old names, and its module attributes must exist before they are used.

- A module, in the ``__init__`` of the package that it was in::

      deprecated_module("txtokensock.server.old", "txtokensock.server.new", ends="0.3.0")

- Anything else, such as an argument, a method or a meaning::

      OLD = deprecate("TokenSocketServer(old=)", "new=", ends="0.3.0")

  and ``OLD.warn()`` where it is used.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = [
    "OLD_NAMES",
    "OldName",
    "deprecate",
    "deprecated_module",
]


@dataclass(frozen=True, slots=True)
class OldName:
    """
    A name that still works.

    :ivar name: as users write it, such as ``txtokensock.server.old`` or ``Peer.old()``.
    :ivar replacement: what they should write instead.
    :ivar ends: the first release without it.
    """

    name: str
    replacement: str
    ends: str

    def warn(self, name: str | None = None, replacement: str | None = None) -> None:
        """
        Warn of a use of the name, at the line outside of this package that uses it.

        :param name: a part of the old name, such as a name in a module.
        :param replacement: what to use instead of that part.
        """
        frame = inspect.currentframe()
        while frame is not None and _is_passed_over(frame.f_globals.get("__name__", "")):
            frame = frame.f_back
        text = (
            f"{name or self.name} is deprecated and ends with txtokensock {self.ends}: "
            f"use {replacement or self.replacement} instead"
        )
        if frame is None:
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            return
        warnings.warn_explicit(
            text,
            DeprecationWarning,
            frame.f_code.co_filename,
            frame.f_lineno,
            module=frame.f_globals.get("__name__"),
            registry=frame.f_globals.setdefault("__warningregistry__", {}),
        )


def _is_passed_over(module: str) -> bool:
    """Whether no warning points at this module: it is ours, or belongs to the import system."""
    package, _, _ = module.partition(".")
    return package in ("txtokensock", "importlib")


OLD_NAMES: dict[str, OldName] = {}
"""All old names, of the modules that were imported."""


def deprecate(name: str, replacement: str, *, ends: str) -> OldName:
    """
    :param name: see :class:`OldName` for all parameters.
    :return: the old name, which is listed now; call its ``warn()`` where it is used.
    """
    old = OldName(name, replacement, ends)
    OLD_NAMES[name] = old
    return old


def deprecated_module(name: str, replacement: str, *, ends: str) -> None:
    """
    Make a module that moved importable under its old name.

    :param name: its old full name, in the package that calls this while it is imported.
    :param replacement: its new full name; it is imported when one of its names is used.
    :param ends: the first release without the old name.
    """
    old = deprecate(name, replacement, ends=ends)

    def get(attribute: str) -> Any:
        if attribute.startswith("__") and attribute != "__all__":
            # Test runners and the like read such attributes of all modules, and use none.
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        value = getattr(import_module(replacement), attribute)
        if attribute != "__all__":
            old.warn(f"{name}.{attribute}", f"{replacement}.{attribute}")
        return value

    module = ModuleType(name, f"Deprecated: see :mod:`{replacement}`.")
    module.__dict__["__getattr__"] = get
    sys.modules[name] = module
    package, _, short_name = name.rpartition(".")
    setattr(sys.modules[package], short_name, module)
