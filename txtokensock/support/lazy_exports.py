"""
Names of a package that are imported when they are first used, see :pep:`562`.

To import one part of a package does not load the others: the client loads no server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_exports"]


def lazy_exports(
    namespace: dict[str, Any], homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """
    The functions ``__getattr__`` and ``__dir__`` of a package.

    :param namespace: the package's ``globals()``.  A name is kept there once it was used.
    :param homes: the module that defines each name, such as ``.errors``, relative to the package.
        Where name and module are the same, the value is the module itself.
    """
    package = namespace["__name__"]

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        module = import_module(home, package)
        value = module if home == f".{name}" else getattr(module, name)
        namespace[name] = value
        return value

    def names() -> list[str]:
        return sorted({*namespace, *homes})

    return get, names
