"""What the commands print, and how: plain lines that survive any terminal."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, NoReturn, TextIO

from coterie.errors import CoterieWarning
from coterie.training.launched import is_first

LONG_LIST = 5
# What a training says before it starts and when a signal comes. What it says of each epoch stands in its progress bar.
TOLD_BY = ("coterie.methods", "coterie.training.memory_estimate", "coterie.training.signals")
DONE_WITH_WARNINGS = 3  # the exit code of --strict


def make_printable() -> None:
    """Output that never fails on a character the terminal cannot show; it is written as an escape instead."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """One line of result, on standard output."""
    _print_line(text, sys.stdout)


def note(text: str) -> None:
    """One line beside the result, on standard error, above a progress bar that stands there."""
    with _bar_aside():
        _print_line(text, sys.stderr)


def fail(text: str, code: int) -> NoReturn:
    """Ends the program with one line on standard error."""
    note(f"coterie: {text}")
    sys.exit(code)


def _print_line(text: str, stream: TextIO) -> None:
    if not is_first():
        return  # of several processes one speaks
    try:
        print(printable(text), file=stream, flush=True)
    except BrokenPipeError:  # the reader (head, less) has gone; the work it was told about still gets done
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _bar_aside() -> AbstractContextManager[None]:
    bars = sys.modules.get("tqdm")  # imported where there is a bar
    return bars.tqdm.external_write_mode(file=sys.stderr) if bars else nullcontext()


def printable(text: str) -> str:
    """``text`` as one line, with control characters (a file name may hold them) shown instead of obeyed, and bytes of
    a name that are no text as in the tables."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(c: str) -> str:
    if "\udc80" <= c <= "\udcff":  # how Python holds a byte of a file name that is not UTF-8
        return f"\\x{ord(c) - 0xDC00:02x}"
    return c.encode("unicode_escape", "backslashreplace").decode()


@contextmanager
def noted_warnings() -> Iterator[list[dict[str, str]]]:
    """Collects coterie's warnings as {"kind", "message"} for run.json, and shows each once as a line."""
    noted: list[dict[str, str]] = []

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: Any = None,
    ) -> None:
        if not issubclass(category, CoterieWarning):
            return usual(message, category, filename, lineno, file, line)
        entry = {"kind": category.__name__, "message": str(message)}
        if entry not in noted:
            noted.append(entry)
            note(f"note: {message}")
        return None

    with warnings.catch_warnings():
        warnings.simplefilter("always", CoterieWarning)
        usual = warnings.showwarning
        warnings.showwarning = show
        yield noted


class _Told(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        with suppress(RuntimeError):  # a signal came in the middle of writing another line
            note(record.getMessage())


@contextmanager
def noted_logs() -> Iterator[None]:
    """Shows what the library logs for a person while it trains."""
    handler, loggers = _Told(), [logging.getLogger(name) for name in TOLD_BY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
