"""What pytest is told, and tells."""

from __future__ import annotations

from hypothesis import settings

from tests.faults.choice import described
from tests.kit.examples import share

# Of the properties that do not say how many.  In CI, Hypothesis draws the same ones each time.
settings.register_profile(
    "tests",
    settings.get_profile(settings.get_current_profile_name()),
    max_examples=share(100),
    deadline=None,
)
settings.load_profile("tests")


def pytest_report_header() -> str:
    """Which of the faults are played is not seen from the names of the tests."""
    return described()
