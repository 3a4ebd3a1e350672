"""
``module:attribute`` on a command line, which names the application's own code.

Every error is one line with the place of the mistake, which says more than a traceback.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from ..actions import Actions, check_actions
from ..errors import InvalidOption, shorten

__all__ = ["load", "load_actions", "load_function"]


def load(reference: str) -> Any:
    """
    Import what ``package.module:attribute`` names.  Modules in the current directory are
    found first, as with ``python -m``; ``twistd`` alone does not look there.

    :param reference: dots after the colon lead to attributes of attributes.
    :raises InvalidOption: if there is no such module or attribute, or if the module cannot be
        imported; then the text says where.
    """
    module_name, _, path = reference.partition(":")
    if not all(part.isidentifier() for name in (module_name, path) for part in name.split(".")):
        raise InvalidOption(f"{reference!r} must be like package.module:attribute")
    found = _imported(module_name)
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise InvalidOption(f"{module_name} has no {path!r}") from None
    return found


def load_actions(reference: str) -> Actions:
    """
    :param reference: names a mapping for ``TokenSocketServer(actions=...)``, or a function
        that returns one.
    :raises InvalidOption: as :func:`load` does, and if it is not such a mapping.
    """
    found = load(reference)
    if not isinstance(found, Mapping):
        if not callable(found) or inspect.iscoroutinefunction(found):
            raise InvalidOption(
                f"{reference} is {_kind(found)}: it must be a mapping of names to functions,"
                " or a function that returns one"
            )
        try:
            found = found()
        except (Exception, SystemExit) as problem:
            raise InvalidOption(f"{reference} failed: {_explain(problem)}") from None
    check_actions(found, ("data", "peer"), reference)
    actions: Actions = found
    return actions


def load_function(reference: str) -> Callable[..., Any]:
    """
    :raises InvalidOption: as :func:`load` does, and if it is not a function.
    """
    found = load(reference)
    if not callable(found):
        raise InvalidOption(f"{reference} is {_kind(found)}: it must be a function")
    function: Callable[..., Any] = found
    return function


def _imported(name: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as problem:
        # What is missing may be a module that this one imports.
        if problem.name is not None and f"{name}.".startswith(f"{problem.name}."):
            raise InvalidOption(
                f"there is no module {problem.name!r}, also not in {here}"
            ) from None
        raise InvalidOption(f"cannot import {name}: {_explain(problem)}") from None
    except (Exception, SystemExit) as problem:
        raise InvalidOption(f"cannot import {name}: {_explain(problem)}") from None


def _explain(problem: BaseException) -> str:
    """The exception, and where it was raised."""
    text = shorten(problem.msg if isinstance(problem, SyntaxError) else str(problem))
    what = f"{type(problem).__name__}: {text}" if text else type(problem).__name__
    place = _place(problem)
    return what if place is None else f"{what} ({place})"


_LIBRARIES = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib"))


def _place(problem: BaseException) -> str | None:
    """File and line, in the application's code if that is in the traceback."""
    if isinstance(problem, SyntaxError) and problem.filename is not None:
        return f"{_short(problem.filename)}:{problem.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(problem.__traceback__)
        if frame.filename not in (__file__, importlib.__file__)
        and not frame.filename.startswith("<frozen ")
    ]
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)]
    if not frames:
        return None
    last = (own or frames)[-1]
    return f"{_short(last.filename)}:{last.lineno}"


def _short(path: str) -> str:
    return path.removeprefix(os.getcwd() + os.sep)


def _kind(value: object) -> str:
    if inspect.iscoroutinefunction(value):
        return "a coroutine function"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
