"""Lines for ops: none is lost to the next one, and the same words are told again."""

from __future__ import annotations

from fallback.mesh.notes import CARRIED, MAX_NOTES, Notes


def told(notes: Notes, acks: int, lost: frozenset[int] = frozenset()) -> list[str]:
    """What a bouncer tells ops that hears all acks but the lost ones: each note and number once."""
    heard: list[tuple[str, int]] = []
    for ack in range(acks):
        said = notes.turn()
        notes.carried()
        if ack not in lost and said[0] and said not in heard:
            heard.append(said)
    return [note for note, _ in heard]


def test_several_at_once_are_told_one_after_the_other_though_acks_are_lost() -> None:
    notes = Notes()
    for text in ("one", "two", "two"):
        notes.put(text)
    assert told(notes, 3 * CARRIED, lost=frozenset({0, 1, 3, 7, 8})) == ["one", "two", "two"]
    assert notes.last == "two"


def test_what_was_to_be_told_while_the_primary_was_away_is_told_after() -> None:
    notes = Notes()
    for number in range(MAX_NOTES + 3):
        notes.put(f"n{number}")
    assert told(notes, 100) == [f"n{number}" for number in range(3, MAX_NOTES + 3)]


def test_without_a_note_there_is_none() -> None:
    assert told(Notes(), 10) == []
