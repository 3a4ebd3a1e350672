"""What pytest is told, and tells."""

from __future__ import annotations

from tests.faults.choice import described


def pytest_report_header() -> str:
    """Which of the faults are played is not seen from the names of the tests."""
    return described()
