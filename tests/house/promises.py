"""What Muster, soju and ZNC do: the code that does it in Muster, the tests that show it.

`tests.house.support` prints it; `tests/house/test_support.py` sees that all that code can be
imported, and that all those tests exist.
"""

from __future__ import annotations

from typing import NamedTuple

from bouncer.connections.upstream import REGISTRATION_S
from bouncer.irc.caps import DOWNSTREAM_OFFERED
from bouncer.session.arrival import FETCH_MS
from bouncer.session.session import DEAD_MS, QUIET_MS
from tests.house.peers import NO, PASSED, YES

UNSAID = "–"


class Promise(NamedTuple):
    """A row. `code` is `module:name`, `shown` the names of tests."""

    what: str
    muster: str
    soju: str
    znc: str
    code: str
    shown: str


CLIENTS = [
    Promise(
        "login as `user/network@client` and as `user@client/network`",
        "both",
        "the first",
        "the second",
        "bouncer.irc.login:Login",
        "test_both_orders_are_understood test_a_real_client_logs_in",
    ),
    Promise(
        "SASL for clients",
        DOWNSTREAM_OFFERED["sasl"].value.replace(",", ", "),
        "PLAIN, EXTERNAL, OAUTHBEARER",
        "PLAIN, EXTERNAL, by module",
        "bouncer.irc.registration.client_sasl:ClientSasl",
        "test_a_certificate_alone_is_a_login test_both_ends_of_scram_agree",
    ),
    Promise(
        "a plain RFC 1459 client",
        "yes: backlog as ordinary lines with the time before them, within 512 octets",
        YES,
        YES,
        "bouncer.session.dialect:stamped",
        "test_a_client_that_negotiates_nothing_is_served_well",
    ),
    Promise(
        "client-only tags: typing, react, reply",
        "passed on; reactions and replies are kept",
        "partly",
        NO,
        "bouncer.session.tagged:said",
        """test_tags_without_a_text_reach_the_network_and_the_users_other_clients
        test_a_reply_keeps_its_tags_in_history""",
    ),
    Promise(
        "bot mode: `BOT`, the tag, 335, the flag in WHO",
        "passed on; the flag also where WHO is answered here",
        PASSED,
        PASSED,
        "bouncer.irc.people:User.bot",
        "test_bots_are_shown_as_such test_a_bot_has_its_flag",
    ),
    Promise(
        "`UTF8ONLY`",
        "always: what comes as something else is UTF-8 for clients; WARN INVALID_UTF8 to them",
        UNSAID,
        NO,
        "bouncer.session.arrival:TOKENS",
        "test_clients_may_rely_on_utf8 test_what_is_no_utf8_is_taken_with_a_warning",
    ),
    Promise(
        "`MONITOR` where the network lacks it",
        "from what is known, and by ISON",
        UNSAID,
        NO,
        "bouncer.session.monitoring:Monitoring",
        "test_a_network_without_monitor_is_asked_by_ison",
    ),
    Promise(
        "`WHOX` where the network lacks it",
        "from what is known, or from its plain WHO",
        UNSAID,
        NO,
        "bouncer.irc.who:who_lines",
        "test_whox_is_answered_from_what_we_know test_whox_is_made_of_the_networks_plain_who",
    ),
    Promise(
        "CHATHISTORY: messages of one millisecond",
        "exact by msgid; by time where a millisecond fits the limit",
        "some are lost",
        NO,
        "storage.messages:between",
        """test_pages_by_msgid_return_every_message_of_one_millisecond
        test_pages_by_time_return_all_where_a_millisecond_fits""",
    ),
    Promise(
        "backlog",
        "per client name: what it has not confirmed, once; paged",
        "per client name",
        "one buffer",
        "bouncer.session.playback:play",
        """test_nothing_is_lost_and_only_the_unconfirmed_is_repeated
        test_p1_all_clients_see_the_same_conversation""",
    ),
    Promise(
        "a client that negotiates history and never asks",
        f"played to after {FETCH_MS // 1000} s",
        UNSAID,
        UNSAID,
        "bouncer.session.arrival:tick",
        "test_a_client_that_could_fetch_and_does_not_gets_its_backlog_once",
    ),
    Promise(
        "replies to WHOIS, LIST, WHO",
        "to who asked",
        "to who asked",
        "by module",
        "bouncer.session.routing:Routing",
        "test_replies_go_to_the_client_that_asked",
    ),
    Promise(
        "`CLIENTTAGDENY`",
        "`*` where the network takes no tags",
        UNSAID,
        NO,
        "bouncer.session.arrival:own_tokens",
        "test_where_the_network_has_no_tags_clients_are_told_so",
    ),
    Promise(
        "`CHATHISTORY`, `MSGREFTYPES`, `MONITOR`, `WHOX`, `VAPID`",
        "our own, in place of the network's",
        YES,
        NO,
        "bouncer.session.arrival:own_tokens",
        "test_the_tokens_tell_the_limit_and_the_selectors",
    ),
]

NETWORKS = [
    Promise(
        "SASL",
        "PLAIN, EXTERNAL, SCRAM-SHA-256; again while services are away; may be required",
        "PLAIN, EXTERNAL",
        "PLAIN, EXTERNAL, by module",
        "bouncer.irc.registration.upstream:UpstreamRegistration",
        """test_sasl_is_tried_again_while_services_are_away
        test_where_it_is_required_we_stay_out_and_say_why""",
    ),
    Promise(
        "pinned certificates",
        "SHA-256, SHA-512",
        "SHA-256, SHA-512",
        "SHA-256",
        "bouncer.connections.dial:check_pin",
        "test_a_pin_stands_in_for_the_trust_store",
    ),
    Promise(
        "one unknown capability",
        "costs only itself",
        UNSAID,
        "costs only itself",
        "bouncer.irc.caps:CapNegotiation",
        """test_one_unknown_capability_costs_only_itself
        test_c24_one_unknown_capability_costs_only_itself""",
    ),
    Promise(
        "`sts`",
        "followed and remembered",
        NO,
        NO,
        "bouncer.tls.policies:Policies",
        """test_a_network_that_wants_tls_is_gone_to_by_tls
        test_where_tls_cannot_be_had_nothing_else_is_used""",
    ),
    Promise(
        "connect commands",
        YES,
        YES,
        "by module",
        "bouncer.session.services:Services",
        "test_connect_commands_are_sent_after_registration_in_order",
    ),
    Promise(
        "login to NickServ, kept when it is seen",
        "once it has worked",
        YES,
        NO,
        "bouncer.session.services:credentials",
        "test_a_login_said_to_nickserv_is_kept_when_it_works",
    ),
    Promise(
        "the wanted nick is regained",
        "by MONITOR or ISON, and by services",
        "by MONITOR",
        "by module",
        "bouncer.session.wanted_nick:WantedNick",
        """test_who_leaves_is_told_by_monitor
        test_services_give_it_back_by_the_words_they_know""",
    ),
    Promise(
        "channel keys",
        YES,
        YES,
        YES,
        "bouncer.irc.split:join_lines",
        "test_a_join_is_remembered_with_its_key_once_the_network_lets_us_in",
    ),
    Promise(
        "wanted and joined channels are made equal",
        "again and again, with growing delays",
        "at connecting",
        "some tries (`JoinTries`)",
        "bouncer.session.places:Places",
        """test_a_refused_join_is_told_once_and_tried_again_with_growing_delays
        test_a_kick_and_a_split_are_got_over""",
    ),
    Promise(
        "own PING, a limit on registration",
        f"after {QUIET_MS // 1000} s, dead after {DEAD_MS // 1000}; {REGISTRATION_S:.0f} s",
        UNSAID,
        YES,
        "bouncer.session.session:QUIET_MS",
        "test_a_silent_network_is_pinged_and_then_dropped test_c16_a_dead_network_is_noticed",
    ),
    Promise(
        "source address per user",
        "`network set --source`",
        "a range for all",
        YES,
        "bouncer.connections.dial:dial",
        "test_the_source_address_is_the_one_that_was_chosen",
    ),
    Promise(
        "identd",
        "built in",
        "built in",
        "by module",
        "bouncer.connections.identd:serve",
        "test_who_a_connection_belongs_to",
    ),
    Promise(
        "SOCKS5",
        YES,
        UNSAID,
        NO,
        "bouncer.connections.socks:connect",
        "test_the_name_is_looked_up_by_the_proxy test_a_user_and_password_are_shown_when_asked_for",
    ),
    Promise(
        "IPv6 and IPv4 side by side",
        "raced, RFC 8305",
        "raced",
        UNSAID,
        "bouncer.connections.dial:dial",
        "test_an_address_that_does_not_answer_does_not_hold_up_the_other",
    ),
    Promise(
        "pinned addresses with the name of the certificate",
        "`?address=IP[,IP]`",
        NO,
        NO,
        "bouncer.connections.dial:ServerAddress",
        "test_a_pinned_address_is_dialled_and_the_name_stays_the_certificates",
    ),
]
