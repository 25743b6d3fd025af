"""Tables of medians, with the ratio to ZNC and the aim beside them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.benchmark import Aim, Benchmark, Metric, Reading, Scale

Readings = Mapping[str, Sequence[Reading]]  # by the subject's name, one a round


def median(readings: Sequence[Reading], key: str) -> float | None:
    """The median of the rounds in which the metric was taken; None if it never was."""
    values = [reading[key] for reading in readings if key in reading]
    return statistics.median(values) if values else None


def table(
    benchmark: Benchmark, scale: Scale, readings: Readings, rounds: int, pace: float
) -> Table:
    """One row per metric that anybody has; one column per subject that was measured."""
    caption = _caption(benchmark, scale, rounds, pace)
    shown = Table(title=benchmark.title, title_justify="left", caption=caption)
    shown.add_column("median", no_wrap=True)
    names = [kind.name for kind in benchmark.subjects if readings.get(kind.name)]
    for name in names:
        shown.add_column(name, justify="right")
    shown.add_column("Muster ÷ ZNC", justify="right")
    shown.add_column("aim", justify="right")
    shown.add_column("here", justify="right")
    shown.add_column("met")
    for metric in benchmark.metrics(scale):
        values = {name: median(readings[name], metric.key) for name in names}
        if any(value is not None for value in values.values()):
            shown.add_row(*_row(metric, values, pace))
    return shown


def _row(metric: Metric, values: Mapping[str, float | None], pace: float) -> list[str]:
    muster, znc = values.get("Muster"), values.get("ZNC")
    ratio = f"{muster / znc:.2f}" if muster is not None and znc else ""
    figures = ["–" if value is None else number(value) for value in values.values()]
    row = [f"{metric.label} [dim]({metric.unit})[/]", *figures, ratio]
    if metric.aim is None:
        return [*row, "", "", ""]
    here = metric.aim.at(pace)
    verdict = "" if muster is None else _verdict(metric.aim, here, muster, znc)
    return [*row, str(metric.aim), str(here) if metric.aim.paced else "", verdict]


def _verdict(aim: Aim, here: Aim, muster: float, znc: float | None) -> str:
    if (met := aim.met(muster, znc)) is None:
        return ""
    if met:
        return "[green]yes"
    return "[yellow]here" if here.met(muster, znc) else "[red]no"


def number(value: float) -> str:
    """Three digits that count, thousands apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def is_paced(benchmark: Benchmark, scale: Scale) -> bool:
    """Whether an aim of it depends on how fast the machine is."""
    return any(metric.aim is not None and metric.aim.paced for metric in benchmark.metrics(scale))


def _caption(benchmark: Benchmark, scale: Scale, rounds: int, pace: float) -> str:
    turns = f"{rounds} rounds in turn" if rounds > 1 else "1 round"
    here = (
        f" Here: the aim at this machine's pace, {pace:.2f} of that for which it was set."
        if is_paced(benchmark, scale)
        else ""
    )
    return f"{turns}, storage on in all. {benchmark.notes}{here}".strip()


def show(
    console: Console,
    benchmark: Benchmark,
    scale: Scale,
    readings: Readings,
    rounds: int,
    pace: float = 1.0,
) -> None:
    """Print the table; `pace` as `tests.bench.pace` has it."""
    console.print(table(benchmark, scale, readings, rounds, pace))
    console.print()
