"""What is wrong with a configuration file: all of it at once, a line each that says what to do."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails


class ConfigError(ValueError):
    """The configuration is unusable. `faults` are the lines to show, at least one."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Table(BaseModel):
    """One table of the file: nothing unknown, nothing changed afterwards."""

    # Deferred: one validator for the whole file instead of one for each of its tables.
    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, defer_build=True
    )


# What to do about a fault, by pydantic's name for it; the rest shows pydantic's own sentence.
_ADVICE = {
    "missing": "is missing; add it",
    "string_type": "is not text; put it in quotes",
    "bool_type": "is not true or false; write true or false, without quotes",
    "bool_parsing": "is not true or false; write true or false, without quotes",
    "int_type": "is not a whole number; write one without quotes",
    "int_parsing": "is not a whole number; write one without quotes",
    "int_from_float": "is not a whole number; write one without a fraction",
    "float_type": "is not a number; write one without quotes",
    "float_parsing": "is not a number; write one without quotes",
    "path_type": "is not a path; put one in quotes",
    "greater_than_equal": "is too small; write {ge:g} or more",
    "less_than_equal": "is too large; write {le:g} or less",
    "literal_error": "is not one of the choices; write {expected}",
    "too_short": "is empty; fill it in",
    "string_too_short": "is empty; fill it in",
    "tuple_type": "is not a list; write [[{key}]] or [ … ]",
    "model_type": "is not a table; write [{key}]",
    "model_attributes_type": "is not a table; write [{key}]",
}


def fault_lines(error: ValidationError, model: type[Table], source: Path) -> list[str]:
    """Each fault of a file read as `model`, as `file: key: what is wrong; what to do`."""
    return [f"{source}: {_fault(fault, model)}" for fault in error.errors()]


def _fault(fault: ErrorDetails, model: type[Table]) -> str:
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
    key = key.lstrip(".") or "the file"
    if fault["type"] == "extra_forbidden":
        text = _unknown_key(fault["loc"], model)
    elif fault["type"] == "value_error":
        text = str(fault["ctx"]["error"])
    elif advice := _ADVICE.get(fault["type"]):
        text = advice.format(**{"key": key, **fault.get("ctx", {})})
    else:
        text = fault["msg"]
    return f"{key}: {text}"


def _unknown_key(loc: tuple[int | str, ...], model: type[Table]) -> str:
    known = [name for name in _table_at(loc[:-1], model).model_fields if name != "source"]
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    if near:
        return f'is not known here; did you mean "{near[0]}"?'
    return f"is not known here; remove it (known: {', '.join(known)})"


def _table_at(loc: tuple[int | str, ...], model: type[Table]) -> type[Table]:
    """The model that describes the table at `loc` of a file read as `model`."""
    table = model
    for part in loc:
        if isinstance(part, str) and part in table.model_fields:
            table = next(_tables_of(table.model_fields[part].annotation), table)
    return table


def _tables_of(annotation: Any) -> Iterator[type[Table]]:
    if get_origin(annotation) in (tuple, Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _tables_of(argument)
    elif isinstance(annotation, type) and issubclass(annotation, Table):
        yield annotation
