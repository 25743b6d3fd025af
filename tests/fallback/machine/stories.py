"""What must come of it: plays with a fixed end, told from whatever state the world is in.

Each first lets the weather clear (`settle`), which is L3 itself; then it asks for what it is about.
"""

from __future__ import annotations

from collections.abc import Callable

from fallback import incident, watch
from fallback.timings import DEFAULTS
from tests.fallback.machine.node import Node
from tests.fallback.machine.world import TWO_LEASES_S, World

ANNOUNCED_S = 30
SOLO_S = 70
RECOVERED_S = int(DEFAULTS.auto_standdown_s) + 30
SUCCESSOR_S = int(DEFAULTS.speaker_lease_s + DEFAULTS.rank_stagger_s) + 2
AGAIN_S = int(TWO_LEASES_S) + 2


def settle(world: World) -> None:
    """Fair weather, everybody up, what was opened by hand stood down by hand."""
    world.drop, world.twice, world.delay = 0.0, 0.0, 0.2
    world.up, world.notice, world.apart = True, None, False
    for node in world.nodes:
        node.uplink, node.paused_until, node.deeds_left = True, 0.0, None
        world.restart(node)
    world.run(2)
    for node in world.nodes:
        for notice in node.state.watch.notices:
            world.feed(node, watch.NoticeEnded(notice.id))
    world.run(1)
    for node in world.agents:
        stand_down(world, node)
    world.run(70)
    nothing_is_open(world)
    # A stand-down by hand holds until A has come for 60 s.
    world.run(int(DEFAULTS.primary_back_notice_s))


def stand_down(world: World, node: Node) -> None:
    world.feed(node, incident.StanddownOrdered("alice", world.now(node)))


def nothing_is_open(world: World) -> None:
    """L3: recovery => stand-down, RECOVERED_S after it at the latest."""
    for _ in range(RECOVERED_S):
        if all(node.own.phase is incident.Phase.NONE for node in world.agents):
            return
        world.run(1)
    raise AssertionError("L3: no stand-down after the recovery")


def outage(world: World) -> None:
    """A cut; the speaker dies and comes back; the agents lose each other; the site recovers."""
    settle(world)
    said = len(world.lines)
    world.up = False
    world.run(ANNOUNCED_S)
    assert len(world.lines) > said, "L1: not announced within 30 s"
    assert len(world.lines) == said + 1, "S5: two speak, and nothing is wrong with them"
    (first,) = world.speaking()
    (second,) = (node for node in world.agents if node is not first)
    first.alive = False
    world.run(SUCCESSOR_S)
    assert world.speaking() == [second], "L2: no successor within 6 s + 2 s per rank"
    world.restart(first)
    world.run(AGAIN_S)
    assert len(world.speaking()) == 1, "S5"
    world.apart = True
    world.run(SUCCESSOR_S)
    assert len(world.speaking()) == 2, "apart they know nothing of each other"
    world.apart = False
    world.run(AGAIN_S)
    assert len(world.speaking()) == 1, "S5: two speak"
    world.up = True
    world.run(int(DEFAULTS.auto_standdown_s) - 5)
    assert world.agents[0].own.id, "S7: closed before 300 s of A"
    nothing_is_open(world)


def announced_maintenance(world: World) -> None:
    """S2: the site is away in its window; also a restarted agent says nothing."""
    settle(world)
    said = len(world.lines)
    world.notice = watch.Notice(f"m{world.t}", world.t - 5, world.t + 300)
    world.run(5)
    world.up = False
    world.run(30)
    for node in world.agents:
        node.alive = False
        world.run(2)
        world.restart(node)
    world.run(90)
    assert len(world.lines) == said, "S2: announced inside a maintenance window"


def own_trouble(world: World) -> None:
    """S3: a voter that hears nobody, or slept, makes no outage of it."""
    settle(world)
    said = len(world.lines)
    for node in world.nodes:
        node.uplink = False
        world.run(40)
        node.uplink = True
        world.run(15)
    for node in world.nodes:
        world.pause(node, 60)
    world.run(55)
    world.up = False  # so that no heartbeat meets them when they wake
    world.run(15)
    world.up = True
    world.run(15)
    assert len(world.lines) == said, "S3: announced, and the site was there"


def alone(world: World) -> None:
    """S1: one agent is left. The vote of a dead witness is none; after 60 s it speaks."""
    settle(world)
    other, agent, witness = world.nodes
    said = len(world.lines)
    other.alive = agent.alive = False
    world.up = False
    world.run(22)
    world.restart(agent)  # its clock of silence begins here
    begun = world.t
    world.run(3)
    assert agent.own.ballots, "the witness votes"
    witness.alive = False
    world.run(int(DEFAULTS.solo_after_s) - 5)
    assert len(world.lines) == said, "S1: announced on its own word alone"
    world.run(SOLO_S - int(world.t - begun))
    assert len(world.lines) == said + 1, "the solo rule"


def closed_by_hand(world: World) -> None:
    """S8: an agent that was away at the closing brings nothing back."""
    settle(world)
    first, second = world.agents
    world.feed(second, incident.Declared("alice"))
    world.run(3)
    assert first.own.id == second.own.id != ""
    world.apart = True
    stand_down(world, first)
    world.run(int(DEFAULTS.standdown_after_s) + 5)
    assert not first.own.id
    assert second.own.id
    world.apart = False
    world.run(AGAIN_S)
    assert not first.own.id
    assert not second.own.id, "the closing reaches who did not hear the order"


STORIES: tuple[Callable[[World], None], ...] = (
    outage,
    announced_maintenance,
    own_trouble,
    alone,
    closed_by_hand,
)
