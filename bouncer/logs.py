"""Logs: to stderr, for people or for machines. No local variables in them: those hold secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from bouncer.spool import Spool


@contextmanager
def _without_rich() -> Iterator[None]:
    """structlog takes rich along where it is, for tracebacks in colour, which we do not print:
    a tenth of a start, and megabytes."""
    absent = "rich" not in sys.modules
    if absent:
        sys.modules["rich"] = None  # type: ignore[assignment]  # "not found", to an import
    try:
        yield
    finally:
        if absent:
            del sys.modules["rich"]


with _without_rich():
    import structlog

FORMATS = ("console", "json")


def _printable(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Any:
    """What networks and clients have sent stands in a terminal, too: no control characters."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = repr(value)[1:-1]
    return event


def set_up(form: str, *, quiet: bool = False, waits: bool = True) -> None:
    """Send all logs to stderr in one of FORMATS; `quiet` keeps to warnings and worse. Who serves
    `waits` for no reader of it: from here on stderr as a whole is a spool."""
    level = logging.WARNING if quiet else logging.INFO
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "json":
        # show_locals: a traceback's variables would hold passwords and people's messages
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        rendering: list[Any] = [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(),
        ]
    else:
        rendering = [
            _printable,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
    processors = [*shared, *rendering]
    if not waits:
        with suppress(OSError):
            sys.stderr = Spool(sys.stderr, partial(_left_out, processors))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # The storage and libraries speak through logging: their warnings appear among ours.
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()])


def _left_out(processors: list[Any], lines: int) -> str:
    """The line that tells of others for which there was no room."""
    event: Any = {"event": "log lines left out: nobody read them", "lines": lines}
    for process in processors:
        event = process(None, "warning", event)
    return f"{event}\n"


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        more = {"logger": record.name, "exc_info": record.exc_info}
        log.log(record.levelno, record.getMessage(), **more)
