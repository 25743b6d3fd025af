"""What a benchmark is: metrics with aims, and one function that measures one subject once."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bouncer.tls import selfsigned
from tests.bench.crowd import NotServed
from tests.bench.network import FakeNetwork, NetworkFailed, fake_network
from tests.bench.process import LONG_REST_S, Failed, cpu_s, settled_cpu_s
from tests.bench.secure import Pair
from tests.bench.subjects.floor import Floor
from tests.bench.subjects.muster import Muster
from tests.bench.subjects.subject import Account, Subject
from tests.bench.subjects.znc import Znc

Reading = Mapping[str, float]  # by the metric's key; a metric may be absent

ALL: tuple[type[Subject], ...] = (Muster, Znc, Floor)


class Wrong(RuntimeError):
    """A subject lost, doubled or reordered lines: then its speed counts for nothing."""


class Aim(NamedTuple):
    """`ratio` compares with ZNC's figure of the same run, else the limit is absolute. A `paced` one
    was set on a machine of pace 1: on a slower one the same work takes longer."""

    limit: float
    at_most: bool = False
    ratio: bool = False
    paced: bool = False

    def met(self, muster: float, znc: float | None) -> bool | None:
        """None where there is nothing to compare with."""
        value = muster
        if self.ratio:
            if not znc:
                return None
            value = muster / znc
        return value <= self.limit if self.at_most else value >= self.limit

    def at(self, pace: float) -> Aim:
        """What it comes to on a machine of this pace."""
        return self._replace(limit=self.limit / pace) if self.paced else self

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        return f"{sign} {self.limit:.3g}" + (" × ZNC" if self.ratio else "")


def no_more_than(time: float) -> Aim:
    """An aim for what work takes, in the metric's unit, at pace 1."""
    return Aim(time, at_most=True, paced=True)


class Metric(NamedTuple):
    key: str
    label: str
    unit: str
    aim: Aim | None = None


class Scale(NamedTuple):
    """How much is done, and over what. The aims are meant for `FULL`."""

    relay_lines: int = 100_000
    warm_up_lines: int = 5_000
    fanout_clients: int = 20
    fanout_lines: int = 20_000
    team_users: int = 50
    team_lines: int = 4_000
    trickle_s: float = 8.0
    attach_channels: int = 100
    attach_backlog: int = 50_000
    attach_times: int = 10
    idle_users: int = 1_000
    history_sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    history_channels: int = 50
    history_asks: int = 200
    kill_rate: int = 5_000
    kill_s: float = 3.0
    tls: str = ""  # "on"; "asking": of clients that might show a certificate


FULL = Scale()
SHORT = FULL._replace(
    relay_lines=40_000,
    fanout_lines=10_000,
    team_lines=1_000,
    trickle_s=3.0,
    attach_times=5,
    idle_users=200,
    history_sizes=(10_000, 100_000),
    kill_s=1.0,
)
TINY = Scale(200, 50, 3, 100, 3, 100, 0.5, 3, 300, 2, 5, (300, 600), 3, 5, 500, 0.3)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`measure` does one round; it raises NotYet, Missing, Failed, NotServed or Wrong."""

    name: str
    title: str
    metrics: Callable[[Scale], tuple[Metric, ...]]
    measure: Callable[[type[Subject], Scale], Reading]
    subjects: tuple[type[Subject], ...] = ALL
    notes: str = ""


def always(*metrics: Metric) -> Callable[[Scale], tuple[Metric, ...]]:
    """The same rows at any scale."""
    return lambda _: metrics


class NotYet(RuntimeError):
    """The subject does not offer what is measured. Its text says what."""


class Stage(NamedTuple):
    """A subject that serves, all its users joined on a fake network of their own."""

    network: FakeNetwork
    subject: Subject
    joined_s: float  # from the start of the process to the last user's last channel


def accounts(count: int, channels: Sequence[str]) -> list[Account]:
    return [
        Account(f"staff{index}", f"secret-{index}-of-many", f"staff{index}", tuple(channels))
        for index in range(count)
    ]


def channel_names(count: int) -> list[str]:
    return [f"#chan{index:02d}" for index in range(count)]


@contextlib.contextmanager
def stage(
    kind: type[Subject],
    people: Sequence[Account],
    members: int = 50,
    timeout_s: float = 60.0,
    tls: str = "",
) -> Iterator[Stage]:
    """Set a subject up from scratch in a folder of its own; everything is gone at the end.

    With `tls`, see `Scale`, the network and the clients speak nothing else.
    """
    kind.check()
    with contextlib.ExitStack() as stack:
        outer = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        outer.chmod(0o755)  # a subject may run as another user
        folder = outer / "subject"
        folder.mkdir()
        pair = _make_pair(folder, tls) if tls else None
        network = stack.enter_context(fake_network(members, pair))
        subject = kind(folder, network.port, people, pair)
        try:
            subject.prepare()
            began = time.monotonic()
            subject.start()
            pairs = sum(len(account.channels) for account in people)
            joined_at = network.await_joined(pairs, timeout_s)
            yield Stage(network, subject, joined_at - began)
        except (NotServed, NetworkFailed) as error:
            raise Failed(f"{error}; its last words: {subject.last_words()}") from error
        finally:
            subject.stop()


def _make_pair(folder: Path, tls: str) -> Pair:
    pair = Pair(folder / "certificate.pem", folder / "key.pem", asking=tls == "asking")
    selfsigned.make(pair.certificate, pair.key, ["127.0.0.1"])
    return pair


class Meter:
    """CPU of a process over some lines, put-off work included."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = settled_cpu_s(pid)

    def used_s(self) -> float:
        """CPU seconds so far."""
        return cpu_s(self._pid) - self._before

    def settled_s(self) -> float:
        """CPU seconds, once the process has also done what it put off."""
        return settled_cpu_s(self._pid, LONG_REST_S) - self._before


def expect_all(numbers: Sequence[int], first: int, count: int) -> None:
    """Raises Wrong unless a client was shown exactly these lines, each once, in order."""
    if list(numbers) != list(range(first, first + count)):
        shown = set(numbers)
        missing = count - len(shown & set(range(first, first + count)))
        doubled = len(numbers) - len(shown)
        raise Wrong(f"{missing} lines missing, {doubled} doubled, or out of order")


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of all lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
