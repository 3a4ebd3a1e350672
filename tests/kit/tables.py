"""
Tests out of tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

__all__ = ["each"]

T = TypeVar("T", bound=type)


def each(cases: Mapping[str, tuple[Any, ...]]) -> Callable[[T], T]:
    """
    Gives a test case one test for each entry.

    :param cases: the arguments for ``run_case``, by what the test is called; what is neither
        letter nor digit in that becomes ``_``.
    """

    def decorate(test_case: T) -> T:
        for words, arguments in cases.items():
            name = "".join(mark if mark.isalnum() else "_" for mark in words)

            def test(self: Any, arguments: tuple[Any, ...] = arguments) -> Any:
                return self.run_case(*arguments)

            test.__name__ = f"test_{name}"
            test.__qualname__ = f"{test_case.__qualname__}.{test.__name__}"
            test.__doc__ = test_case.run_case.__doc__  # type: ignore[attr-defined]
            assert not hasattr(test_case, test.__name__), name
            setattr(test_case, test.__name__, test)
        return test_case

    return decorate
