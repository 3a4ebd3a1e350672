"""
Fails for each module whose branches tests do not take: ``python -m tests.coverage_floor REPORT``.

What coverage fails for is the total, in which a module that nothing tests can hide.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FLOOR = 95.0
"""Percent of the lines and branches of each module."""


def main(report: str) -> None:
    """Look at coverage's report in JSON."""
    files = json.loads(Path(report).read_text(encoding="utf-8"))["files"]
    covered = {name: file["summary"]["percent_covered"] for name, file in files.items()}
    low = {name: files[name] for name in sorted(covered, key=covered.__getitem__)}
    low = {name: file for name, file in low.items() if covered[name] < FLOOR}
    for name, file in low.items():
        lines = ", ".join(map(str, file["missing_lines"]))
        print(f"{name}: {covered[name]:.1f} %, without the lines {lines}")
    least = min(covered, key=covered.__getitem__)
    print(f"{len(covered)} modules; least covered: {least}, {covered[least]:.1f} %")
    if low:
        sys.exit(f"{len(low)} modules are below {FLOOR:g} %")


if __name__ == "__main__":
    main(sys.argv[1])
