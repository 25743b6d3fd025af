"""What a voter needs in an outage alone, missed and told in peacetime."""

from __future__ import annotations

from pathlib import Path

import trio

from bouncer.config import Address
from fallback import check, company, watch
from fallback.app import Voter
from fallback.config import Landmark
from fallback.findings import TELL_AFTER_S, Level
from tests.fallback.voters import open_site, until
from tests.real.ports import free_port


def faults(voter: Voter) -> str:
    return "\n".join(str(each) for each in voter.worries() if each.level is not Level.OK)


async def test_ops_are_told_of_a_voter_that_is_not_heard_and_of_a_landmark_that_is_gone(
    tmp_path: Path,
) -> None:
    """Two voters that a firewall keeps apart are no quorum, though the bouncer has both acks."""
    async with open_site(tmp_path) as site:
        config = await site.pairs("fra", role="witness")
        late = await site.pairs("hel", role="witness")
        gone = Landmark(kind="tcp", address=Address("127.0.0.1", free_port()))
        more = config.model_copy(update={"landmark": (*config.landmark, gone)})
        voter = await site.starts(more)
        await site.beats()
        await until(lambda: voter.conduct.state.watch.phase is watch.Phase.WATCHING)
        await until(lambda: voter.mesh.linked and voter.mesh.others)
        await until(lambda: f"landmark tcp {gone.address}: no answer" in faults(voter))
        assert "voter hel: not heard" in faults(voter)
        assert f"FAIL  landmark tcp {gone.address}" in "\n".join(check.running_findings(voter))
        now = trio.current_time()
        voter.upkeep.look(now)
        voter.upkeep.look(now + TELL_AFTER_S)
        for fault in ("voter hel: not heard", f"landmark tcp {gone.address}: no answer"):
            await until(lambda fault=fault: fault in "\n".join(site.told))  # type: ignore[misc]
        await site.starts(late)
        await until(lambda: "hel: not heard" not in faults(voter))
        site.is_cut()
        await until(lambda: not voter.mesh.linked)
        assert "no TLS link" in faults(voter), "it beats, as far as is known"
        await until(lambda: voter.conduct.state.watch.phase is not watch.Phase.WATCHING)
        assert "no TLS link" not in faults(voter), "it is away, and so is its link"


async def test_ops_are_told_of_a_machine_that_stalls_again_and_again(tmp_path: Path) -> None:
    """ "own stall > 2 s: fresh clock": one that stalls more often than it declares never votes."""
    async with open_site(tmp_path) as site:
        voter = await site.starts(await site.pairs("fra", role="witness"))
        await until(lambda: voter.pulse.beaten > 1)  # it begins with one that tells nothing
        clocks, gone_s = voter.pulse.clocks, 0.0
        # As a host shows it that was frozen and is moved: the wall clock alone has gone on.
        voter.pulse.clocks = lambda: (*clocks()[:2], clocks()[2] + gone_s)
        assert "stalls" not in faults(voter)
        while (before := len(voter.conduct.stalled_at)) < company.MANY_STALLS:
            gone_s += 3.0
            await until(lambda before=before: len(voter.conduct.stalled_at) > before)  # type: ignore[misc]
        assert "this voter stalls again and again" in faults(voter)
        assert "FAIL  this voter stalls" in "\n".join(check.running_findings(voter))
        later = voter.pulse.now() + company.STALLS_WITHIN_S
        assert not list(company.about_stalls(voter.conduct.stalled_at, later))
