"""Reading ahead: a client that goes from page to page finds the next one read when it asks for it.

Nothing here knows the store: `Fetching` asks it what is to be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from outcome import Outcome, Value

from bouncer.history import Answered
from bouncer.session.lookups import Answer, Question, ReadHistory, Rows, is_full, next_pages

FRESH_S = 10.0  # what was read longer ago is read anew


@dataclass(slots=True)
class Page:
    """What `question` will be answered, should it come. `then` is who waits for it already."""

    question: ReadHistory
    read_at: float
    removals: int
    answer: Outcome[Answer] | None = None
    then: Answered | None = None

    def is_answered_by(self, answer: Outcome[Answer]) -> bool:
        """Whether that is still the answer when the question comes later: messages are added after
        a page, never within it."""
        if not isinstance(answer, Value) or not isinstance(answer.value, Rows):
            return False
        return self.question.request.subcommand.goes_back or is_full(self.question, answer.value)


@dataclass(slots=True)
class Ahead:
    """Of one client: at most one page, read before it asks. A page is read ahead for who has gone
    on from a page before, and in the same way."""

    _expected: list[ReadHistory] = field(default_factory=list)  # the ways to go on from its page
    _way: int | None = None  # that it has taken last
    _page: Page | None = None

    def answered(
        self, question: Question, answer: Outcome[Answer], now: float, removals: int = 0
    ) -> Page | None:
        """It is told this answer: what is to be read now, if it is worth it. `removals` is how
        often messages were removed so far."""
        if not isinstance(question, ReadHistory) or not isinstance(answer, Value):
            return None
        self._expected = next_pages(question, answer.value)
        if not self._expected or self._way is None:
            return None
        if self._page is not None and self._page.answer is None:  # one at a time
            return None
        self._page = Page(self._expected[self._way], now, removals)
        return self._page

    def take(self, question: Question, now: float, removals: int = 0) -> Page | None:
        """The page that answers this question, where it was read, or is being read, ahead."""
        if not isinstance(question, ReadHistory):
            return None
        if self._expected:
            is_next = question in self._expected
            self._way = self._expected.index(question) if is_next else None
        page = self._page
        if page is None or page.question != question or now - page.read_at > FRESH_S:
            return None
        if page.removals != removals:  # what a network has deleted must not be shown again
            return None
        self._page = None
        return page

    def forget(self, page: Page) -> None:
        """It is of no use."""
        if self._page is page:
            self._page = None
