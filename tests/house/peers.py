"""Capabilities: what soju and ZNC have, and the tests that show Muster's in both roles.

`tests/house/test_support.py` holds the names against the code's own tables.
"""

from __future__ import annotations

YES, NO, PASSED = "yes", "no", "where the network has it"


def _each(value: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), value)


# Capabilities that peers offer to clients. Not in the table: not offered.
SOJU = {
    **_each(
        YES,
        """server-time message-tags batch echo-message labeled-response standard-replies cap-notify
        multi-prefix invite-notify setname draft/chathistory draft/event-playback draft/read-marker
        draft/no-implicit-names draft/pre-away draft/extended-isupport draft/message-redaction
        draft/metadata-2 soju.im/bouncer-networks soju.im/bouncer-networks-notify soju.im/read
        soju.im/search soju.im/no-implicit-names soju.im/account-required soju.im/webpush""",
    ),
    **_each(
        PASSED, "away-notify account-notify account-tag extended-join chghost extended-monitor"
    ),
    "sasl": "PLAIN, EXTERNAL, OAUTHBEARER",
    "draft/multiline": "partly",
}
ZNC = {
    **_each(
        YES,
        """server-time batch echo-message cap-notify multi-prefix userhost-in-names
        znc.in/self-message znc.in/server-time-iso znc.in/batch""",
    ),
    **_each(PASSED, "away-notify account-notify account-tag extended-join"),
    "sasl": "PLAIN, EXTERNAL, by module",
    "znc.in/playback": "by module",
}

ROLES = "test_a_capability_of_the_network"  # each of them, with its sentence

# Capability -> the tests that show it to clients.
TO_CLIENTS = {
    "sts": """test_clients_are_told_of_it_where_it_is_configured
        test_a_policy_is_for_who_comes_by_the_name_of_the_host""",
    "sasl": "test_the_way_most_clients_come_in test_sasl_external test_sasl_scram",
    "server-time": f"{ROLES} test_a_line_is_kept_and_told_with_its_time_and_msgid",
    "message-tags": "test_tags_without_a_text_reach_the_network_and_the_users_other_clients",
    "batch": "test_a_batch_frames_each_conversation test_batches_of_the_network_are_taken_apart",
    "echo-message": """test_an_own_message_reaches_the_other_clients_and_the_sender_only_by_echo
        test_a_ctcp_question_is_echoed_but_not_kept""",
    "labeled-response": """test_a_single_line_is_labelled_and_not_wrapped
        test_several_lines_are_one_batch_that_carries_the_label
        test_a_command_without_an_answer_is_acknowledged""",
    "standard-replies": f"{ROLES} test_a_standard_reply_is_for_who_asked",
    "cap-notify": "test_what_is_offered_may_change test_cap_notify_comes_with_302_and_stays",
    "multi-prefix": f"""{ROLES} test_prefixes_and_hosts_as_the_client_asked_for_them
        test_who_without_multi_prefix_gets_the_highest_from_us_too""",
    "userhost-in-names": "test_hosts_are_in_names_once_they_are_known",
    "invite-notify": ROLES,
    "setname": "test_a_realname_is_changed_where_the_network_can",
    "away-notify": ROLES,
    "account-notify": ROLES,
    "account-tag": f"{ROLES} test_a_client_without_capabilities_gets_plain_lines",
    "extended-join": f"{ROLES} test_extended_join_is_cut_for_clients_without_it",
    "chghost": f"{ROLES} test_a_host_that_changes_leaves_ones_own_place_and_hidden_ones_alone",
    "znc.in/self-message": "test_self_message_shows_own_private_messages_to_old_clients",
    "znc.in/playback": "test_znc_playback_plays_what_was_asked_for",
    "znc.in/server-time-iso": "test_server_time_by_its_first_name",
    "znc.in/batch": "test_batches_by_their_first_name",
    "extended-monitor": "test_who_is_watched_is_told_of_by_extended_monitor_alone",
    "draft/extended-monitor": "test_what_only_a_network_knows_is_offered_with_it",
    "draft/channel-rename": "test_who_does_not_know_renames_sees_the_channel_left_and_entered",
    "draft/chathistory": """test_pages_by_msgid_return_every_message_of_one_millisecond
        test_times_also_stand_in_the_middle_and_at_both_ends
        test_targets_are_listed_by_their_latest_message""",
    "draft/event-playback": "test_events_come_back_to_clients_with_event_playback_alone",
    "draft/read-marker": """test_a_marker_only_ever_moves_forward
        test_two_clients_that_mark_at_once_end_at_the_later_mark""",
    "draft/no-implicit-names": "test_no_names_after_a_join_for_those_who_do_not_want_them",
    "draft/pre-away": "test_a_client_that_is_away_from_the_start_counts_as_nobody",
    "draft/extended-isupport": "test_isupport_is_said_again_and_in_its_batch",
    "draft/message-redaction": "test_a_redacted_message_leaves_history",
    "draft/multiline": "test_what_comes_is_one_message_for_who_knows_it",
    "draft/metadata-2": "test_what_is_pinned_is_noted_kept_and_told",
    "soju.im/bouncer-networks": """test_networks_are_listed_in_a_batch
        test_a_network_is_bound_before_registration
        test_networks_are_bound_listed_added_changed_and_removed""",
    "soju.im/bouncer-networks-notify": "test_who_follows_hears_of_every_change",
    "soju.im/read": "test_read_answers_with_the_clients_own_mask",
    "soju.im/search": "test_messages_are_found_by_all_that_is_given",
    "soju.im/no-implicit-names": "test_no_names_after_a_join_for_those_who_do_not_want_them",
    "soju.im/account-required": "test_what_is_only_told_cannot_be_requested",
    "soju.im/webpush": """test_private_messages_and_highlights_are_pushed
        test_a_name_for_an_address_inside_is_refused""",
}

# Capability -> the tests that show what it is for when a network has it.
FROM_NETWORKS = {
    "sasl": "test_plain_login test_external_login test_scram_is_chosen_where_it_is_offered",
    "account-notify": ROLES,
    "account-tag": ROLES,
    "away-notify": ROLES,
    "batch": f"{ROLES} test_a_network_cannot_fill_memory_with_open_batches",
    "cap-notify": "test_capabilities_come_and_go_later",
    "chghost": ROLES,
    "draft/channel-rename": "test_a_renamed_channel_is_wanted_by_its_new_name_with_its_settings",
    "draft/message-redaction": "test_a_private_message_is_redacted_by_its_sender",
    "draft/multiline": "test_what_a_client_says_goes_up_as_one",
    "draft/extended-monitor": "test_what_only_a_network_knows_is_offered_with_it",
    "echo-message": "test_where_the_network_echoes_its_echo_is_what_is_kept",
    "extended-join": ROLES,
    "extended-monitor": "test_who_is_watched_is_told_of_by_extended_monitor_alone",
    "invite-notify": ROLES,
    "labeled-response": "test_the_networks_labels_tell_even_alike_questions_apart",
    "message-tags": "test_tags_without_a_text_reach_the_network_and_the_users_other_clients",
    "multi-prefix": ROLES,
    "server-time": ROLES,
    "setname": ROLES,
    "standard-replies": ROLES,
    "userhost-in-names": ROLES,
}
