"""The benchmarks in tiny form, so that they cannot rot. No figure is asserted."""

from __future__ import annotations

import math
import re
import shutil
from contextlib import suppress
from socket import create_connection

import pytest
from rich.console import Console

from tests.bench.__main__ import BENCHMARKS, main, take
from tests.bench.benchmark import TINY, Aim, Wrong, accounts, expect_all, no_more_than, stage
from tests.bench.corpus import NUMBER, Corpus, Dialect, ticket
from tests.bench.pace import pace
from tests.bench.report import number, show
from tests.bench.subjects.floor import Floor
from tests.bench.subjects.subject import Missing, Subject

ALL_TAGS = Dialect(time=True, msgid=True, account=True)


def test_the_corpus_is_chat_like() -> None:
    said = Corpus("abcd").lines(3000, [b"#chan00", b"#chan01"], [Dialect(), ALL_TAGS], 10**12)
    bare = said[Dialect()].splitlines(keepends=True)
    tagged = said[ALL_TAGS].splitlines(keepends=True)
    assert [int(n) for n in NUMBER.findall(said[Dialect()])] == list(range(3000))
    assert all(100 <= len(line) <= 200 for line in bare)
    assert all(tags.split(b" ", 1)[1] == line for tags, line in zip(tagged, bare, strict=True))
    assert len(set(re.findall(rb"msgid=([^; ]+)", said[ALL_TAGS]))) == 3000
    times = re.findall(rb"time=([^; ]+)", said[ALL_TAGS])
    assert times == sorted(set(times))
    assert len(times) == 3000
    assert said[ALL_TAGS].count(b";account=") == pytest.approx(1000, abs=10)
    assert said[Dialect()].count(ticket(2000).encode()) == 1


def test_a_loss_a_repeat_and_a_wrong_order_are_seen() -> None:
    expect_all([5, 6, 7], 5, 3)
    for shown in ([5, 7], [5, 6, 6, 7], [6, 5, 7], [5, 6, 7, 8]):
        with pytest.raises(Wrong):
            expect_all(shown, 5, 3)


def test_aims() -> None:
    assert Aim(3, ratio=True).met(300, 100) is True
    assert Aim(3, ratio=True).met(299, 100) is False
    assert Aim(3, ratio=True).met(300, None) is None
    assert Aim(20, at_most=True).met(20.1, None) is False
    assert str(Aim(1 / 3, at_most=True, ratio=True)) == "≤ 0.333 × ZNC"
    assert no_more_than(20).at(0.5) == Aim(40, at_most=True, paced=True)
    assert Aim(290, at_most=True).at(0.5) == Aim(290, at_most=True)
    assert [number(v) for v in (0.0, 0.123, 12.34, 39_600.0)] == ["0", "0.12", "12.3", "39,600"]


def test_the_pace_of_this_machine_is_measured() -> None:
    assert pace(TINY) > 0


@pytest.mark.parametrize(("read", "verdict"), [(11.0, "yes"), (13.0, "here"), (24.1, "no")])
def test_an_aim_is_shown_as_it_was_set_and_at_the_pace_of_this_machine(
    read: float, verdict: str
) -> None:
    console = Console(record=True, width=200)
    show(console, BENCHMARKS["team"], TINY, {"Muster": [{"p99-1k": read}]}, 1, 0.5)
    row = next(line for line in console.export_text().splitlines() if "1,000 lines/s, p99" in line)
    assert [cell.strip() for cell in row.split("│")[-4:-1]] == ["≤ 12", "≤ 24", verdict]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_measures(name: str) -> None:
    benchmark = BENCHMARKS[name]
    console = Console(record=True, width=200)
    taken, failed = take(benchmark, TINY, 1, {"muster", "floor"}, console)
    assert failed == 0, console.export_text()
    keys = {metric.key for metric in benchmark.metrics(TINY)}
    for readings in taken.values():
        for reading in readings:
            assert reading
            assert set(reading) <= keys
            assert all(math.isfinite(value) for value in reading.values())
    show(console, benchmark, TINY, taken, 1)
    if Floor in benchmark.subjects:
        assert taken["floor"]
        assert "floor" in console.export_text()


@pytest.mark.parametrize(("name", "tls"), [("team", "on"), ("attach", "asking")])
def test_it_is_measured_over_tls_too(name: str, tls: str) -> None:
    console = Console(record=True, width=200)
    over_tls = TINY._replace(tls=tls)
    taken, failed = take(BENCHMARKS[name], over_tls, 1, {"muster", "floor"}, console)
    assert failed == 0, console.export_text()
    assert taken.keys() == {"Muster", "floor"}


def test_nothing_goes_in_clear_where_it_is_measured_over_tls() -> None:
    with stage(Floor, accounts(1, ["#a"]), tls="on") as (network, subject, _):
        for port in (network.port, subject.port):
            with create_connection(("127.0.0.1", port)) as plain:
                plain.sendall(b"CAP LS 302\r\n" * 100)
                with suppress(ConnectionError):  # it may be reset instead
                    assert b"CAP" not in plain.recv(4096)


@pytest.mark.parametrize("tls", ["", "on"])
def test_znc_is_measured_beside_us(tls: str) -> None:
    if not shutil.which("znc"):
        pytest.skip("znc is not installed")
    console = Console(record=True, width=200)
    taken, failed = take(BENCHMARKS["relay"], TINY._replace(tls=tls), 1, {"znc"}, console)
    assert failed == 0, console.export_text()
    assert taken["ZNC"][0]["lines"] > 0


def test_a_missing_subject_is_named_and_left_out() -> None:
    class Absent(Subject):
        name = "absent"

        @classmethod
        def check(cls) -> None:
            raise Missing("it is not here")

        prepare = command = data = lambda _: pytest.fail("it was not left out")

    with pytest.raises(Missing, match="not here"), stage(Absent, []):
        pass


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nonsense"])
    assert ended.value.code == 2
    assert "nonsense" in capsys.readouterr().err
