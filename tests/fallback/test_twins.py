"""A copy of the bouncer's data that was started elsewhere: no false alarm, and ops are told."""

from __future__ import annotations

from pathlib import Path

import trio

from fallback import watch
from fallback.mesh.boots import AGAIN_S, TWICE, Boots
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import WAITS, open_site, until


def test_a_boot_that_comes_back_is_a_second_bouncer() -> None:
    boots = Boots()
    assert [boots.worry(boot, 0.0) for boot in "aaabbbccc"] == [""] * 9  # restarted twice
    assert boots.worry("a", 10.0) == TWICE
    assert boots.worry("c", 11.0) == ""  # told already
    assert boots.worry("a", 10.0 + AGAIN_S) == TWICE


async def test_a_second_bouncer_that_goes_again_leaves_the_first_one_heard(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        config = await site.pairs("fra", ircd=ircd)
        waits = WAITS | {"suspect": 8, "declare": 20, "service_down": 20}
        agent = await site.starts(config.model_copy(update={"timings": waits}))
        first = await site.beats()
        await until(lambda: agent.conduct.state.watch.phase is watch.Phase.WATCHING)
        await site.beats()  # another with the same key
        await until(lambda: agent.hearing.last and agent.hearing.last.beat.boot != first._boot)
        await until(lambda: f"agent fra: {TWICE}" in site.told, within_s=30)
        site.is_cut()  # the second one
        last = agent.pulse.now()
        with trio.fail_after(40):
            while agent.hearing.last is None or agent.hearing.last.at < last + 10:
                assert agent.conduct.state.watch.phase is watch.Phase.WATCHING
                await trio.sleep(0.1)
        assert agent.hearing.last.beat.boot == first._boot
