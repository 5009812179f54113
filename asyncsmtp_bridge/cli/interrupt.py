"""Ctrl-C: the first one asks to stop, the second one ends the process.

Owns the handler of SIGINT while a command runs on the event loop. It does not know what is to be stopped.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_STATUS = 130
"""What shells report of a command that SIGINT ended: 128 + 2."""


@contextmanager
def on_ctrl_c(stop: Callable[[], object]) -> Iterator[None]:
    """Have `stop` called on the running loop at the first Ctrl-C; the second ends the process at once.

    Without effect where it is not the main thread that runs the loop: signals are handled there only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    pressed = False

    def handle(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            os._exit(EXIT_STATUS)
        pressed = True
        loop.call_soon_threadsafe(stop)

    # Not loop.add_signal_handler(), which Windows has not, and which cannot interrupt a loop that is busy.
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
