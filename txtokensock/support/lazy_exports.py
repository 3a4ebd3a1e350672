"""
Names of a package that are imported when they are asked for, see :pep:`562`.

Whoever uses a part of a package does not wait for the rest of it: the client loads no server.
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

    :param namespace: the package's ``globals()``.  A name goes there when it is first asked for.
    :param homes: for each name the module that defines it, such as ``.errors``, relative to the
        package.  A name that is the module's own is the module itself.
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
