"""Ctrl-C and SIGTERM: the first finishes the step, the second stops at once."""

import logging
import signal
import threading
import time
from types import FrameType
from typing import Any, Self

from coterie.training.launched import n_launched

log = logging.getLogger(__name__)

CAUGHT = (signal.SIGINT, signal.SIGTERM)
ECHO = 2.0  # seconds in which torchrun passes on a Ctrl-C that the terminal has sent to every process already


class StopSignals:
    """Notes the signals that ask a training to end, as a context manager; ``received`` is the first one, or None.

    Before ``ready`` is set a signal acts at once, since there is no step to finish. Outside the main thread, where
    Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.ready = False
        self._at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in CAUGHT}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            # None: a handler that was not installed from Python, which Python cannot put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None and n_launched() > 1 and time.monotonic() - self._at < ECHO:
            return
        if self.received is not None or not self.ready:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            raise SystemExit(128 + number)
        self.received, self._at = signal.Signals(number), time.monotonic()
        log.info("%s: finishing the step and saving; once more stops at once", self.received.name)
