"""`python -m tests.bench [NAMES…] [--rounds 3] [--short] [--tls]`: figures as ratios to a peer.

Absolute figures drift by a third from day to day on the same machine; rounds are therefore taken
in turn (A B C, A B C, …) and the medians of one run compared. Aims in milliseconds are shown as
they were set, and as what they come to at the pace of this machine (see `tests.bench.pace`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench.attach import ATTACH
from tests.bench.benchmark import FULL, SHORT, Benchmark, NotYet, Reading, Scale, Wrong
from tests.bench.crowd import NotServed
from tests.bench.fairness import FAIRNESS
from tests.bench.history import HISTORY
from tests.bench.idle import IDLE
from tests.bench.kill import KILL
from tests.bench.network import NetworkFailed
from tests.bench.pace import pace
from tests.bench.process import Failed, allow_many_files
from tests.bench.relay import FANOUT, RELAY
from tests.bench.report import is_paced, show
from tests.bench.subjects.subject import Missing
from tests.bench.team import TEAM

BENCHMARKS = {
    bench.name: bench for bench in (RELAY, FANOUT, TEAM, FAIRNESS, ATTACH, IDLE, HISTORY, KILL)
}

WIDTH = 120  # of a report that goes to a file

Taken = dict[str, list[Reading]]


def take(
    benchmark: Benchmark, scale: Scale, rounds: int, only: set[str], console: Console
) -> tuple[Taken, int]:
    """All rounds of one benchmark, and how many measurements failed.

    A subject that cannot be measured is named and left out; one that fails is not tried again.
    """
    taken: Taken = defaultdict(list)
    kinds = [kind for kind in benchmark.subjects if not only or kind.name.lower() in only]
    out: set[str] = set()
    failed = 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # No refreshing thread: it would take its share of the measured machine.
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task(benchmark.name, total=rounds * len(kinds))
        for turn in range(rounds):
            for kind in kinds:
                progress.update(
                    task, description=f"{benchmark.name}: {kind.name}, round {turn + 1}"
                )
                progress.refresh()
                if kind.name not in out:
                    try:
                        taken[kind.name].append(benchmark.measure(kind, scale))
                    except (Missing, NotYet) as error:
                        out.add(kind.name)
                        console.print(f"[yellow]{benchmark.name}: {kind.name} left out:[/] {error}")
                    except (Failed, NotServed, NetworkFailed, Wrong) as error:
                        out.add(kind.name)
                        failed += 1
                        console.print(f"[red]{benchmark.name}: {kind.name} failed:[/] {error}")
                progress.advance(task)
    return taken, failed


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when all was measured or rightly left out, 1 when a subject failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="less of everything")
    parser.add_argument("--only", action="append", default=[], metavar="SUBJECT")
    parser.add_argument("--messages", type=int, help="the largest history of `history`")
    parser.add_argument("--json", type=Path, help="write all readings to this file as well")
    parser.add_argument(
        "--tls",
        choices=("on", "asking"),
        nargs="?",
        const="on",
        default="",
        help="to network and clients; `asking`: Muster asks clients for certificates",
    )
    options = parser.parse_args(arguments)
    scale = SHORT if options.short else FULL
    scale = scale._replace(tls=options.tls)
    if options.messages:
        smaller = tuple(size for size in FULL.history_sizes if size < options.messages)
        scale = scale._replace(history_sizes=(*smaller, options.messages))
    allow_many_files()
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    failed = 0
    everything: dict[str, Taken] = {}
    for name in options.names or BENCHMARKS:
        benchmark = BENCHMARKS[name]
        only = {word.lower() for word in options.only}
        here = pace(scale) if is_paced(benchmark, scale) else 1.0
        taken, failures = take(benchmark, scale, options.rounds, only, console)
        failed += failures
        everything[name] = taken
        if any(taken.values()):
            show(console, benchmark, scale, taken, options.rounds, here)
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
