"""What a network says becomes what we know: dialogues as servers hold them."""

from __future__ import annotations

from bouncer.irc.known import MAX_CHANNELS, MAX_DETAIL, MAX_MEMBERSHIPS, MAX_MOTD_LINES
from bouncer.irc.people import Channel, Member, User
from bouncer.irc.state import NetworkState
from tests.bouncer.irc.talk import ENTERING, GREETING, network, says


def in_ops(*dialogues: str) -> tuple[NetworkState, Channel]:
    state = network(GREETING, ENTERING, *dialogues)
    return state, state.channels["#ops"]


def prefixes(channel: Channel) -> dict[str, str]:
    return {member.nick: member.prefixes for member in channel.members.values()}


def test_a_greeting_tells_who_and_where_we_are() -> None:
    state = network(GREETING)
    assert (state.nick, state.user, state.host) == ("me", "ident", "host.example")
    assert state.server == "irc.example"
    assert state.myinfo == ("v1.0", "iosw", "biklmnopstv", "bkloveI")
    assert state.isupport.network == "Example"
    assert state.motd == ["- hello"]
    assert state.umodes == {"i"}


def test_the_server_may_give_us_another_nick() -> None:
    state = network(":s 001 Guest12 :Welcome")
    assert state.nick == "Guest12"
    assert state.is_me("guest12")
    assert not state.is_me("me")
    assert network(":s 001 * :Welcome").nick == "me"


def test_entering_a_channel_fills_it() -> None:
    _, ops = in_ops()
    assert ops.topic == "Keep calm"
    assert (ops.topic_by, ops.topic_at) == ("alice!a@h", 1700000000)
    assert prefixes(ops) == {"me": "", "alice": "@", "bob": "+"}
    assert ops.names_complete


def test_names_with_all_prefixes_and_hosts() -> None:
    # multi-prefix "@+nick", userhost-in-names "nick!user@host"
    state, ops = in_ops(":s 353 me = #ops :@+carol!c@host.c")
    assert prefixes(ops)["carol"] == "@+"
    assert state.users["carol"].mask == "carol!c@host.c"


def test_users_of_one_network_keep_what_it_tells_them_once() -> None:
    """A team knows the same people, and each of it is told of them."""
    mine, theirs = network(GREETING, ENTERING), network(GREETING, ENTERING)
    assert mine.users["alice"].host is theirs.users["alice"].host
    assert mine.users["alice"].nick is theirs.users["alice"].nick
    assert mine.isupport.network is theirs.isupport.network
    assert mine.isupport.prefix is theirs.isupport.prefix
    assert mine.isupport.chanmodes is theirs.isupport.chanmodes
    assert {*map(id, mine.isupport.tokens)} == {*map(id, theirs.isupport.tokens)}
    assert {*map(id, mine.users)} == {*map(id, theirs.users)}


def test_a_list_of_single_prefixes_does_not_hide_what_modes_told() -> None:
    _, ops = in_ops(":s MODE #ops +v alice", ":s 353 me = #ops :@alice")
    assert prefixes(ops)["alice"] == "@+"


def test_people_come_and_go() -> None:
    state, ops = in_ops(":carol!c@h JOIN #ops", ":bob!b@h PART #ops :bye")
    assert prefixes(ops) == {"me": "", "alice": "@", "carol": ""}
    assert "bob" not in state.users
    says(state, ":alice!a@h KICK #ops carol :out\n:alice!a@h QUIT :gone")
    assert prefixes(ops) == {"me": ""}
    assert set(state.users) == {"me"}


def test_whom_we_meet_elsewhere_is_not_forgotten() -> None:
    state = network(
        GREETING, ENTERING, ":me!i@h JOIN #dev", ":s 353 me = #dev :me alice", ":me!i@h PART #ops"
    )
    assert set(state.channels) == {"#dev"}
    assert set(state.users) == {"me", "alice"}
    assert [channel.name for channel in state.channels_of("ALICE")] == ["#dev"]


def test_being_kicked_ends_our_stay() -> None:
    state = network(GREETING, ENTERING, ":alice!a@h KICK #OPS Me :out")
    assert state.channels == {}
    assert state.users == {}
    assert state.memberships == 0


def test_nicks_change_in_every_channel() -> None:
    state, ops = in_ops(":alice!a@h NICK Alice2", ":me!i@h NICK Me2")
    assert prefixes(ops) == {"bob": "+", "Alice2": "@", "Me2": ""}
    assert state.nick == "Me2"
    assert state.users["alice2"] == User("Alice2")
    says(state, ":Alice2!a@h NICK ALICE2")  # case alone
    assert prefixes(ops)["ALICE2"] == "@"


def test_a_nick_taken_from_somebody_leaves_one_holder() -> None:
    state, ops = in_ops(":alice!a@h NICK bob")
    assert prefixes(ops) == {"me": "", "bob": "@"}
    assert state.memberships == 2
    says(state, ":bob!b@h QUIT")
    assert set(state.users) == {"me"}


def test_modes_of_channels() -> None:
    _, ops = in_ops(
        ":s 324 me #ops +ntk key",
        ":s 329 me #ops 1600000000",
        ":alice!a@h MODE #ops +lob-n 20 bob *!*@x",
    )
    assert ops.modes == {"t": None, "k": "key", "l": "20"}
    assert ops.created == 1600000000
    assert prefixes(ops)["bob"] == "@+"


def test_topics_change_and_go() -> None:
    state, ops = in_ops()
    says(state, ":bob!b@h TOPIC #ops :New", now_s=1_700_000_111)
    assert (ops.topic, ops.topic_by, ops.topic_at) == ("New", "bob!b@h", 1_700_000_111)
    says(state, ":s 331 me #ops :No topic is set")
    assert ops.topic == ""


def test_what_extensions_tell_of_people() -> None:
    state, _ = in_ops(
        ":carol!c@h JOIN #ops carolacct :Carol C",
        ":alice!a@h ACCOUNT aliceacct",
        ":alice!a@h AWAY :lunch",
        ":alice!a@h CHGHOST newuser new.host",
        ":alice!newuser@new.host SETNAME :Alice A",
    )
    assert state.users["carol"] == User("carol", "c", "h", "carolacct", None, "Carol C")
    assert state.users["alice"] == User(
        "alice", "newuser", "new.host", "aliceacct", "lunch", "Alice A"
    )
    says(state, ":alice!n@h AWAY\n:alice!n@h ACCOUNT *")
    assert state.users["alice"].away is None
    assert state.users["alice"].account == ""


def test_our_own_login_and_host() -> None:
    state = network(
        GREETING,
        ":s 900 me me!ident@cloak acct :You are now logged in as acct",
        ":s 396 me vhost.example :is now your displayed host",
        ":s 306 me :You have been marked as being away",
    )
    assert state.account == "acct"
    assert state.mask == "me!ident@vhost.example"
    assert state.away == ""
    says(state, ":s 396 me other@vhost2 :is now your displayed host\n:s 305 me :back")
    assert state.mask == "me!other@vhost2"
    assert state.away is None
    says(state, ":s 901 me me!i@h :You are now logged out")
    assert state.account is None


def test_who_tells_of_people_we_share_a_channel_with() -> None:
    state, _ = in_ops(
        ":s 352 me #ops u host s alice G@ :3 Alice A",
        ":s 352 me * u host s stranger H :0 x",
        ":s 354 me 793 #ops u2 host2 bob H+ bobacct :Bob B",
        ":s 354 me 12 #ops x y bob H z :not the fields we asked for",
    )
    assert state.users["alice"] == User("alice", "u", "host", None, "", "Alice A")
    assert state.users["bob"] == User("bob", "u2", "host2", "bobacct", None, "Bob B")
    assert "stranger" not in state.users


def test_a_case_mapping_that_comes_late_is_applied() -> None:
    state = network(":me!i@h JOIN #A[", ":s 353 me = #A[ :me N^ck n~ck")
    assert set(state.channels) == {"#a{"}
    assert set(state.channels["#a{"].members) == {"me", "n^ck"}  # one by RFC 1459
    says(state, ":s 005 me CASEMAPPING=ascii :are supported by this server")
    assert set(state.channels) == {"#a["}
    assert state.channel("#A[") is not None
    assert state.memberships == len(state.channels["#a["].members)


def test_what_holds_a_space_is_no_name() -> None:
    """In a line of ours it would be the end of the name, and the rest the command."""
    state, ops = in_ops()
    mask = state.mask
    says(state, ":me!i@h NICK :x PRIVMSG\n:me!i@h CHGHOST i :h PRIVMSG #ops\n:s 001 :x PRIVMSG")
    says(state, ":bob!b@h NICK :x y\n:me!i@h JOIN :#a b")
    assert (state.nick, state.mask) == ("me", mask)
    assert set(state.channels) == {"#ops"}
    assert "bob" in ops.members


def test_entering_again_starts_afresh() -> None:
    state, _ = in_ops(":me!i@h JOIN #ops")
    assert prefixes(state.channels["#ops"]) == {"me": ""}
    assert not state.channels["#ops"].names_complete


def test_what_is_not_about_us_changes_nothing() -> None:
    state, ops = in_ops()
    says(state, ":bob!b@h JOIN #other\n:s 332 me #other :x\n:x!y@z PART #other\n:x!y@z NICK y")
    assert set(state.channels) == {"#ops"}
    assert "x" not in state.users
    assert ops.members["bob"] == Member("bob", "+")


def test_a_hostile_server_does_not_fill_memory() -> None:
    state = network(GREETING)
    for n in range(MAX_CHANNELS + 10):
        says(state, f":me!i@h JOIN #c{n}")
    assert len(state.channels) == MAX_CHANNELS
    for n in range(MAX_MEMBERSHIPS // 100):
        says(state, f":s 353 me = #c{n % 7} :" + " ".join(f"n{n}x{i}" for i in range(110)))
    assert state.memberships == MAX_MEMBERSHIPS
    assert sum(len(c.members) for c in state.channels.values()) == MAX_MEMBERSHIPS
    for _ in range(MAX_MOTD_LINES + 10):
        says(state, ":s 372 me :line")
    assert len(state.motd or []) == MAX_MOTD_LINES
    says(state, f":s 324 me #c1 +k {'x' * 5000}\n:s 353 me = #c1 :{'@' * 5000}n1x0")
    assert len(state.channels["#c1"].modes["k"] or "") == MAX_DETAIL
    assert state.channels["#c1"].members["n1x0"].prefixes == "@"
    says(state, f":me!i@h NICK {'x' * 5000}")
    assert state.nick == "me"
