"""
What came of a run, from its JSON: the table on the terminal, the tables of the documentation, and
the pictures.  ``python -m benchmarks.compare.report bench.json`` puts an earlier run into the
documentation.

A figure is named ``work: client on server``, as in :mod:`benchmarks.compare.__main__`.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

from .tables import BOTH, RIVALS, Figures, Medians, sections

__all__ = ["document", "print_table", "write"]

_DOCS = Path(__file__).parents[2] / "docs"
_NAME = re.compile(r"(?P<work>.*): (?P<client>\w+) on (?P<server>[\w-]+)(?P<over>.*)")


def write(report: dict[str, Any], out: Path) -> None:
    """Write all that there is to see: JSON, tables and pictures, into that directory."""
    figures = report["figures"]
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.json").write_text(json.dumps(report, indent=1))
    draw(figures, out / "bench.png")
    _write_page(report, out / "tables.inc", out / "growth.png")


def document(report: dict[str, Any]) -> None:
    """Put a run into ``docs/performance.rst``."""
    _write_page(
        report, _DOCS / "performance-tables.inc", _DOCS / "images" / "performance-growth.png"
    )


def _write_page(report: dict[str, Any], tables: Path, growth: Path) -> None:
    tables.write_text("".join(sections(report["machine"], report["figures"])))
    draw_growth(report["figures"], growth)


# -- on the terminal


def print_table(figures: Figures, base: Figures) -> None:
    """Medians with their spread, and ratios to JavaScript."""
    print(f"{'':64} {'client us':>30} {'server us':>30} {'a second':>9} {'p50':>8} {'p99':>8}")
    for name, figure in figures.items():
        found = _NAME.fullmatch(name)
        assert found is not None
        work, client, server, over = found.groups()
        rivals = (
            f"{work}: node on {server}{over}",
            f"{work}: {client} on {RIVALS.get(server.partition('-')[0], 'node')}{over}",
        )
        held, kept = (
            _cell(figure[kind], figures.get(rival, {}).get(kind), base.get(name, {}).get(kind))
            for kind, rival in zip(_kinds(figure), rivals, strict=True)
        )
        if figure["server_bytes"]:
            print(f"{name:64} {held:>30} {kept:>30} bytes")
            continue
        rest = (figure[kind] for kind in ("per_second", "p50_us", "p99_us"))
        columns = zip(map(statistics.median, rest), (9, 8, 8), strict=True)
        print(
            f"{name:64} {held:>30} {kept:>30}",
            *(f"{value:{width}.0f}" for value, width in columns),
        )


def _kinds(figure: dict[str, list[float]]) -> tuple[str, str]:
    unit = "bytes" if figure["server_bytes"] else "us"
    return f"client_{unit}", f"server_{unit}"


def _cell(values: list[float], rivals: list[float] | None, earlier: list[float] | None) -> str:
    """The median, its spread, and its ratio to another's, unless that is itself."""
    middle = statistics.median(values)
    text = f"{middle:.1f} ({min(values):.1f}-{max(values):.1f})"
    for word, others in (("", rivals), (" base", earlier)):
        if others and others is not values and (other := statistics.median(others)):
            text += f"{word} x{middle / other:.2f}"
    return text


# -- pictures


def draw(figures: Figures, path: Path) -> None:
    """For each work the processor time of both ends, by pair."""
    from matplotlib.figure import Figure as Picture

    works: dict[str, dict[str, tuple[float, float]]] = {}
    for name, figure in figures.items():
        work, _, pair = name.partition(": ")
        if figure["client_us"]:
            ends = (statistics.median(figure[kind]) for kind in BOTH)
            works.setdefault(work, {})[pair] = tuple(ends)  # type: ignore[assignment]
    if not works:
        return
    picture = Picture(figsize=(10, 2.6 * len(works)), layout="constrained")
    all_axes = picture.subplots(len(works), squeeze=False)[:, 0]
    for axes, (work, pairs) in zip(all_axes, works.items(), strict=True):
        client, server = zip(*pairs.values(), strict=True)
        axes.barh(list(pairs), client, label="client")
        axes.barh(list(pairs), server, left=client, label="server")
        axes.set_title(work, loc="left", fontsize=10)
        axes.set_xlabel("microseconds of processor time each")
        axes.invert_yaxis()
        axes.legend()
    picture.savefig(path, dpi=110)


_CALL = {"ours": "ours on ours", "npm's": "node on node"}
_DELIVERY = {"ours": "peers on ours", "npm's": "peers on node"}
_RECEIVED = {"ours": "ours on ours", "npm's": "node on ours"}
_GROWTH = (
    ("a call, both ends", "calls in flight", r"call, (\d+) in flight, 30 B", _CALL, BOTH),
    ("a call, alone, both ends", "bytes", r"call, 1 in flight, (\d+) B", _CALL, BOTH),
    (
        "a delivery, server",
        "peers",
        r"fan-out, (\d+) peers, 1 channels each, 30 B",
        _DELIVERY,
        ("server_us",),
    ),
    (
        "a delivery to 10 peers, server",
        "channels of each peer",
        r"fan-out, 10 peers, (\d+) channels each, 30 B",
        _DELIVERY,
        ("server_us",),
    ),
    (
        "a message received, client",
        "channels of the client",
        r"receive, one a frame(?:, (\d+) channels)?",
        _RECEIVED,
        ("client_us",),
    ),
    (
        "a delivery to 1000 peers, server",
        "bytes",
        r"fan-out, 1000 peers, 1 channels each, (\d+) B",
        _DELIVERY,
        ("server_us",),
    ),
)


def draw_growth(figures: Figures, path: Path) -> None:
    """How cost grows with what there is of something."""
    from matplotlib.figure import Figure as Picture

    medians = Medians(figures)
    picture = Picture(figsize=(10, 10), layout="constrained")
    for axes, plot in zip(picture.subplots(3, 2).flat, _GROWTH, strict=True):
        what, scale, work, contestants, kinds = plot
        for label, pair in contestants.items():
            points = sorted(
                (int(found[1] or 1), medians.get(name, *kinds))
                for name in figures
                if (found := re.fullmatch(f"{work}: {pair}", name))
            )
            axes.loglog(
                *zip(*points, strict=True) if points else ([], []), marker="o", label=label
            )
        axes.set(xlabel=scale, title=f"microseconds for {what}")
        axes.margins(y=0.2)
        axes.set_ylim(bottom=1)
        axes.legend()
    picture.savefig(path, dpi=90)


if __name__ == "__main__":
    document(json.loads(Path(sys.argv[1]).read_text()))
