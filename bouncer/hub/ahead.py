"""Reading ahead: a client that goes from page to page finds the next ones read when it asks for
them. They are read in blocks, each twice as long as the one before, as kernels read files.

Nothing here knows the store: `Fetching` asks it what is to be read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from outcome import Outcome, Value

from bouncer.hub.history import Answered
from bouncer.session.lookups import Answer, Question, ReadHistory, Rows, end_of, next_page
from storage.message import Row

BLOCK_ROWS = 400  # read at once for one client; a page alone may be longer
LOW_PAGES = 1  # this many are left, or none: the next block is read
FRESH_S = 10.0  # what was read longer ago is read anew


@dataclass(slots=True)
class Page:
    """What `first` will be answered, should it come."""

    first: ReadHistory
    read_at: float
    removals: int  # how often messages had been removed when it was read
    answer: Value[Answer]


@dataclass(slots=True)
class Block:
    """Pages that are being read: the one that answers `first`, and those that a client that goes
    on in the same way asks for after it. `then` is who waits for the first already."""

    first: ReadHistory
    by_time: bool  # it goes on by the time of the last message, not by its msgid
    length: int
    read_at: float
    removals: int
    then: Answered | None = None
    is_wanted: bool = True

    @property
    def question(self) -> ReadHistory:
        """For all of them."""
        request = self.first.request
        return replace(self.first, request=request._replace(limit=request.limit * self.length))

    def pages(self, answer: Outcome[Answer]) -> list[Page]:
        """As a client would be given them that asks one by one."""
        if not isinstance(answer, Value) or not isinstance(answer.value, Rows):
            return []
        pages: list[Page] = []
        question, rest = self.first, answer.value.rows
        goes_back, limit = question.request.subcommand.goes_back, question.request.limit
        while True:
            if goes_back:
                rows, rest = rest[-limit:], rest[:-limit]
            else:
                rows, rest = rest[:limit], rest[limit:]
                if len(rows) < limit:
                    return pages  # messages are added after a page, never within it
            pages.append(Page(question, self.read_at, self.removals, Value(Rows(rows))))
            if len(rows) < limit or len(pages) == self.length:
                return pages
            last = rows[0] if goes_back else rows[-1]
            if rest and self.by_time and rest[-1 if goes_back else 0].time_ms == last.time_ms:
                return pages  # who goes on by time is not told the rest of a millisecond
            question = next_page(question, last, by_time=self.by_time)


@dataclass(slots=True)
class Ahead:
    """Of one client: at most one block that is being read, and what is left of the one before.
    Pages are read ahead for who has gone on from a page before, and in the same way; also from the
    first page of the next conversation, as far as it went in the one before: a client that fetches
    what it missed goes through all of them."""

    _told: tuple[ReadHistory, Row] | None = None  # the page's question and end: it may go on
    _by_time: bool | None = None  # how it has gone on last; None when it did not
    _gone: int = 0  # how many pages, since it was not what was read ahead that it asked for
    _pages: deque[Page] = field(default_factory=deque)
    _block: Block | None = None
    _length: int = 1  # of the next block, in pages

    def answered(
        self, question: Question, answer: Outcome[Answer], now: float, removals: int = 0
    ) -> Block | None:
        """It is told this answer: what is to be read now, if it is worth it. `removals` is how
        often messages were removed so far."""
        if not isinstance(question, ReadHistory) or not isinstance(answer, Value):
            return None
        self._told = told = _told(question, answer.value)
        if told is None or self._by_time is None:
            return None
        if self._block is not None or len(self._pages) > LOW_PAGES:
            return None
        if self._pages:
            told = _told(self._pages[-1].first, self._pages[-1].answer.value)
            if told is None:
                return None
        longest = max(1, BLOCK_ROWS // question.request.limit)
        length = min(self._length, longest)
        self._length = 2 * length
        first = next_page(*told, by_time=self._by_time)
        self._block = Block(first, self._by_time, length, now, removals)
        return self._block

    def take(self, question: Question, now: float, removals: int = 0) -> Page | Block | None:
        """The page that answers this question, or the block that begins with it, where they were
        read, or are being read, ahead."""
        if not isinstance(question, ReadHistory):
            return None
        block = self._block if self._block is not None and self._block.is_wanted else None
        read: Page | Block | None = self._pages.popleft() if self._pages else block
        if read is not None and question == read.first and _is_good(read, now, removals):
            self._gone += 1
            return read
        self._lose()
        for by_time in (False, True):
            if self._told is not None and question == next_page(*self._told, by_time=by_time):
                self._by_time = by_time
                self._gone += 1
                return None
        if not self._gone:
            self._by_time = None
        self._length, self._gone = max(1, self._gone), 0
        return None

    def has_read(self, block: Block, answer: Outcome[Answer]) -> Page | None:
        """A block was read: its first page, where somebody waits for it and it is good. The others
        are kept."""
        self._block = None
        pages = block.pages(answer)
        first = pages.pop(0) if pages and block.then is not None else None
        if block.is_wanted:
            self._pages.extend(pages)
        return first

    def expire(self, now: float) -> None:
        """Give up what was not asked for in time."""
        if self._pages and now - self._pages[0].read_at > FRESH_S:
            self._lose()

    def _lose(self) -> None:
        """It has left the way, or waited for too long."""
        self._pages.clear()
        self._length = 1
        if self._block is not None:
            self._block.is_wanted = False


def _told(question: ReadHistory, answer: Answer) -> tuple[ReadHistory, Row] | None:
    last = end_of(question, answer) if isinstance(answer, Rows) else None
    return None if last is None else (question, last)


def _is_good(read: Page | Block, now: float, removals: int) -> bool:
    """What a network has deleted must not be shown again."""
    return now - read.read_at <= FRESH_S and read.removals == removals
