"""Tables of medians, with the ratio to ZNC and the aim beside them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.benchmark import Benchmark, Metric, Reading, Scale

Readings = Mapping[str, Sequence[Reading]]  # by the subject's name, one a round


def median(readings: Sequence[Reading], key: str) -> float | None:
    """The median of the rounds in which the metric was taken; None if it never was."""
    values = [reading[key] for reading in readings if key in reading]
    return statistics.median(values) if values else None


def table(benchmark: Benchmark, scale: Scale, readings: Readings, rounds: int) -> Table:
    """One row per metric that anybody has; one column per subject that was measured."""
    shown = Table(title=benchmark.title, title_justify="left", caption=_caption(benchmark, rounds))
    shown.add_column("median", no_wrap=True)
    names = [kind.name for kind in benchmark.subjects if readings.get(kind.name)]
    for name in names:
        shown.add_column(name, justify="right")
    shown.add_column("Muster ÷ ZNC", justify="right")
    shown.add_column("aim", justify="right")
    shown.add_column("met")
    for metric in benchmark.metrics(scale):
        values = {name: median(readings[name], metric.key) for name in names}
        if any(value is not None for value in values.values()):
            shown.add_row(*_row(metric, values))
    return shown


def _row(metric: Metric, values: Mapping[str, float | None]) -> list[str]:
    muster, znc = values.get("Muster"), values.get("ZNC")
    ratio = f"{muster / znc:.2f}" if muster is not None and znc else ""
    met = metric.aim.met(muster, znc) if metric.aim and muster is not None else None
    verdict = "" if met is None else "[green]yes" if met else "[red]no"
    figures = ["–" if value is None else number(value) for value in values.values()]
    aim = str(metric.aim) if metric.aim else ""
    return [f"{metric.label} [dim]({metric.unit})[/]", *figures, ratio, aim, verdict]


def number(value: float) -> str:
    """Three digits that count, thousands apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _caption(benchmark: Benchmark, rounds: int) -> str:
    turns = f"{rounds} rounds in turn" if rounds > 1 else "1 round"
    return f"{turns}, storage on in all. {benchmark.notes}".strip()


def show(
    console: Console, benchmark: Benchmark, scale: Scale, readings: Readings, rounds: int
) -> None:
    console.print(table(benchmark, scale, readings, rounds))
    console.print()
