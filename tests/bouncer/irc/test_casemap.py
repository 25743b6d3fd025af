"""Case mappings: "the characters {}|^ are considered to be the lower case equivalents of the
characters []\\~, respectively" (RFC 1459 section 2.2, with ~ and ^ as servers have them)."""

from __future__ import annotations

from bouncer.irc.casemap import CaseMapping


def test_rfc1459_folds_four_symbols_and_strict_three() -> None:
    assert CaseMapping.RFC1459.fold("AZaz[]\\~") == "azaz{}|^"
    assert CaseMapping.RFC1459_STRICT.fold("AZaz[]\\~") == "azaz{}|~"
    assert CaseMapping.ASCII.fold("AZaz[]\\~") == "azaz[]\\~"


def test_no_other_letter_has_case() -> None:
    # Unicode folding, as the `irc` library does it, makes one nick of two.
    for mapping in CaseMapping:
        assert mapping.fold("Äßİ\u212a") == "Äßİ\u212a"  # the last is the Kelvin sign


def test_a_token_names_a_mapping() -> None:
    assert CaseMapping.named(None) is CaseMapping.RFC1459
    assert CaseMapping.named("ASCII") is CaseMapping.ASCII
    assert CaseMapping.named("rfc1459-strict") is CaseMapping.RFC1459_STRICT
    assert CaseMapping.named("strict-rfc1459") is CaseMapping.RFC1459_STRICT  # its older name
    assert CaseMapping.named("rfc7613") is CaseMapping.ASCII
    assert CaseMapping.named("") is CaseMapping.ASCII
