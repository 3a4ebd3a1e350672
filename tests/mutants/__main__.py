"""
``make mutants``: draws mutants, and runs the tests that reach each until one fails.

A mutant that no test notices is printed, and makes the status 1, unless ``equivalents.txt`` has
it: it lists those that change nothing that can be seen, each with the reason.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

from coverage import CoverageData

from .mutations import Mutant, mutants_of

_ROOT = Path(__file__).parents[2]
_EQUIVALENTS = Path(__file__).with_name("equivalents.txt")
_IN_MEMORY = ["tests", "--ignore=tests/interop", "--ignore=tests/soak", "--ignore=tests/mutants"]
_PATIENCE = 120.0
"""Seconds for the tests of one mutant.  It is killed also where it has made a loop endless."""


def main() -> int:
    """Draw, run and print; the status says whether all that are not equivalent were killed."""
    options = _options()
    drawn = _draw(options.rooms, options.count, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        reached = _reached(Path(folder), options.coverage)
        copies: Queue[Path] = Queue()
        for number in range(options.jobs):
            copies.put(_copy(Path(folder) / str(number)))

        def judge(mutant: Mutant) -> tuple[Mutant, str]:
            copy = copies.get()
            try:
                return mutant, _judge(mutant, copy, reached)
            finally:
                copies.put(copy)

        verdicts = []
        with ThreadPoolExecutor(options.jobs) as pool:
            for mutant, verdict in pool.map(judge, drawn):
                print(f"{verdict:10} {mutant}", flush=True)
                verdicts.append(verdict)
    alive = [verdict for verdict in verdicts if verdict in ("lives", "unreached")]
    equivalent = verdicts.count("equivalent")
    killed = len(verdicts) - len(alive) - equivalent
    print(f"seed {options.seed}: {killed} of {len(verdicts) - equivalent} killed,", end=" ")
    print(f"{equivalent} more are equivalent")
    return bool(alive)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=main.__doc__)
    parser.add_argument("rooms", nargs="*", default=["txtokensock"], help="folders, or modules")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--coverage", type=Path, help="where to keep which test reaches what")
    return parser.parse_args()


def _draw(rooms: Iterable[str], count: int, seed: int) -> list[Mutant]:
    """At most one mutant a function, so that long functions do not have them all."""
    by_function: dict[tuple[str, str], list[Mutant]] = defaultdict(list)
    for room in rooms:
        place = _ROOT / room
        for module in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            path = str(module.relative_to(_ROOT))
            for mutant in mutants_of(_ROOT, path):
                by_function[path, mutant.function].append(mutant)
    chance = random.Random(seed)
    functions = chance.sample(sorted(by_function), min(count, len(by_function)))
    return [chance.choice(by_function[function]) for function in functions]


def _reached(folder: Path, kept: Path | None) -> CoverageData:
    """Which tests reach which lines: from a run of all, unless ``kept`` has one."""
    path = (kept or folder / "coverage").absolute()
    if not path.exists():
        config = folder / "coveragerc"
        config.write_text(
            f"[run]\nsource = txtokensock\nrelative_files = true\ndata_file = {path}"
        )
        flags = ["--cov=txtokensock", "--cov-context=test", f"--cov-config={config}"]
        _pytest(_ROOT, [*_IN_MEMORY, "-n", "auto", "--dist", "loadscope", "--cov-report=", *flags])
    data = CoverageData(str(path))
    data.read()
    return data


def _copy(where: Path) -> Path:
    ignored = shutil.ignore_patterns(".*", "__pycache__", "_build", "*.egg-info")
    shutil.copytree(_ROOT, where, ignore=ignored)
    return where


def _judge(mutant: Mutant, copy: Path, reached: CoverageData) -> str:
    if str(mutant) in _equivalents():
        return "equivalent"
    by_line = reached.contexts_by_lineno(mutant.path)
    tests = {
        context.partition("|")[0]
        for line in range(mutant.first, mutant.last + 1)
        for context in by_line.get(line, ())
        if context
    }
    if not tests:
        return "unreached"
    module = copy / mutant.path
    source = module.read_bytes()
    module.write_bytes(mutant.apply(source))
    try:
        chosen = copy / "tests-that-reach-it.txt"
        chosen.write_text("\n".join(sorted(tests, key=lambda test: _distance(test, mutant))))
        status = _pytest(copy, [f"@{chosen}", "-x", "-q"])
    except subprocess.TimeoutExpired:
        return "endless"  # or the machine is too busy to say
    finally:
        module.write_bytes(source)
    if status > 1 and _pytest(copy, [f"@{chosen}", "-q", "--collect-only"]):
        raise RuntimeError(f"without {mutant} its tests cannot be collected either")
    return "killed" if status else "lives"


def _distance(test: str, mutant: Mutant) -> int:
    """The tests of the module's own room come first, for they are the likely ones to fail."""
    mirrored = Path(mutant.path).parts[1:-1]
    own = Path(test.partition("::")[0]).parts[1:-1]
    return -sum(a == b for a, b in zip(mirrored, own, strict=False))


def _pytest(where: Path, arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {
        "FAULTS": "0",  # a copy has no commits by whose number they could be chosen
        **os.environ,
        "PYTHONPATH": str(where),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    limit = None if where == _ROOT else _PATIENCE
    with tempfile.TemporaryFile() as output:
        return subprocess.run(
            command, cwd=where, env=environment, stdout=output, stderr=output, timeout=limit
        ).returncode


def _equivalents() -> set[str]:
    lines = _EQUIVALENTS.read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


if __name__ == "__main__":
    sys.exit(main())
