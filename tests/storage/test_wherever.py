"""What its network deletes is found also where its conversation is called otherwise by now."""

from __future__ import annotations

import pytest

from storage import messages
from storage.message import Renamed
from storage.store import Store
from storage.wherever import find_wherever
from tests.storage.model import add_network, said


@pytest.mark.parametrize("is_indexed", [True, False])
@pytest.mark.parametrize("msgid", ["given", ""])
async def test_it_is_looked_for_on_its_network_alone(
    store: Store, msgid: str, *, is_indexed: bool
) -> None:
    network, other = await add_network(store), await add_network(store, "oftc")
    row = said(store, network, "a slip", 1, msgid=msgid)
    foreign = said(store, other, "another's", 1, msgid=msgid)
    own = messages.msgid_of(row)
    again = said(store, network, "not that", 2, "#dev", msgid=own[:-1] + "-" + own[-1:])
    assert await store.append([row, foreign, again, Renamed(network, "#ops", "#team", "#Team")])
    if is_indexed:
        await store.catch_up()
    assert await store.read(find_wherever, network, "#ops", own) == (1, row.id)
    assert await store.read(find_wherever, network, "#team", own) == (1, row.id)
    assert await store.read(find_wherever, network, "#dev", own) is None, "that has another"
    unknown = ("", "another", "m1", messages.own_msgid(foreign.id))
    found = [await store.read(find_wherever, network, "#ops", each) for each in unknown]
    assert found == [None] * 4
