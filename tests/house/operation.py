"""What users and operators have, in the form of `tests.house.promises`."""

from __future__ import annotations

from tests.house.peers import NO, YES
from tests.house.promises import UNSAID, Promise

OPERATION = [
    Promise(
        "many users, networks, clients at once",
        YES,
        YES,
        YES,
        "bouncer.hub.hub:Hub",
        "test_several_clients_share_one_nick test_p1_all_clients_see_the_same_conversation",
    ),
    Promise(
        "detached channels",
        "with rules for relaying, attaching, detaching",
        "with rules",
        YES,
        "bouncer.session.screen:Screen",
        """test_a_detached_channel_is_kept_and_not_shown test_what_is_relayed_of_it
        test_it_comes_back_by_itself_when_told_to test_a_quiet_channel_detaches_itself""",
    ),
    Promise(
        "away while no client is there",
        YES,
        YES,
        "by module",
        "bouncer.session.presence:Presence",
        "test_the_network_is_told_when_nobody_is_there",
    ),
    Promise(
        "channels that always notify",
        YES,
        UNSAID,
        NO,
        "bouncer.session.screen:Screen.notifies",
        "test_a_channel_that_always_notifies_is_relayed_whole",
    ),
    Promise(
        "ignored people",
        "neither shown nor kept",
        UNSAID,
        UNSAID,
        "bouncer.session.screen:Screen.ignores",
        "test_who_is_ignored_is_neither_shown_nor_kept",
    ),
    Promise(
        "no history for one client (bots)",
        "`client set NAME --autoplay off`",
        UNSAID,
        NO,
        "bouncer.control.clients:COMMANDS",
        "test_c07_a_bot_gets_no_history",
    ),
    Promise(
        "control commands",
        "one registry: service, ops channel, command line; quoted, abbreviated",
        "service, `sojuctl`; quoted, abbreviated",
        "`*status`, modules, a web page",
        "bouncer.control.registry:COMMANDS",
        """test_every_door_gives_the_same_result test_who_may_is_who_the_row_says
        test_every_wrong_use_is_explained_and_changes_nothing test_words_may_be_short""",
    ),
    Promise(
        "a look at the lines (`server debug`)",
        "for 10 min, of one user or all; no texts, no secrets; bounded",
        "until switched off; with passwords",
        "`znc --debug`",
        "bouncer.connections.wire_log:WireLog",
        """test_the_lines_of_a_user_are_in_the_log_for_a_while test_nothing_secret_is_shown
        test_lines_that_come_too_fast_are_counted""",
    ),
    Promise(
        "listeners",
        "TLS, plain, unix socket, WebSocket, PROXY 1 and 2",
        "TLS, plain, unix socket, WebSocket, PROXY 1 and 2",
        "TLS, plain",
        "bouncer.connections.listeners:serve",
        """test_the_first_minute test_web_clients_are_clients_like_others
        test_a_header_is_read_whole_and_not_beyond test_only_the_ranges_named_are_trusted""",
    ),
    Promise(
        "failed logins are limited",
        "per address and per account",
        UNSAID,
        "by module, per address",
        "bouncer.login.throttle:Throttle",
        """test_failures_from_one_address_are_throttled
        test_failures_for_one_user_from_everywhere_are_throttled""",
    ),
    Promise(
        "metrics for Prometheus",
        "on loopback",
        YES,
        NO,
        "bouncer.metrics:serve",
        "test_metrics_and_nothing_else_is_served",
    ),
    Promise(
        "history is limited",
        "by age and size, for user, network, channel; the disk gets the room back",
        UNSAID,
        "by lines, in memory",
        "storage.retention:doomed",
        """test_the_nearest_age_counts test_the_newest_that_fit_stay
        test_the_disk_gets_the_room_back""",
    ),
    Promise(
        "import",
        "from ZNC (configuration, logs) and soju (database, logs)",
        "from ZNC (configuration)",
        NO,
        "bouncer.importers.znc:import_znc",
        "test_a_znc_comes_over_once test_a_soju_comes_over_once",
    ),
    Promise(
        "export",
        "text and JSON",
        UNSAID,
        "logs, by module",
        "bouncer.export:export_json",
        "test_json_lines_hold_everything test_text_can_be_imported_again",
    ),
    Promise(
        "restart",
        "clients go on where they were; networks are spaced",
        "clients go on where they were",
        "buffers are lost but by module",
        "bouncer.connections.supervise:Gate",
        """test_c26_an_upgrade_loses_no_line_and_no_place
        test_a_hundred_users_restart_at_once_and_nobody_is_banned""",
    ),
    Promise(
        "certificates are renewed while serving",
        "by themselves, and on HUP",
        "on HUP",
        NO,
        "bouncer.tls.renewals:Renewals",
        "test_c21_a_renewed_certificate_is_served_without_a_restart",
    ),
]
