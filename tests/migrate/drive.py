"""Runs every case against a copy of the legacy modules: ``python -m tests.migrate.drive FOLDER``.

Owns what is seen while they run: what the servers received, and where smtplib talked to a server on a thread with a
running event loop. In a process of its own, since the modules are imported from the folder, settings are read at
import, and an audit hook stays for good. It does not judge what it saw.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
import tempfile
import traceback
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from .cases import CASES
from .marks import PACKAGE
from .registry import Case
from .servers import Mail, Servers, running

_COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}
_ON_THE_LOOP = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


@dataclass
class Seen:
    """What was seen of one case."""

    delivered: list[Mail] = field(default_factory=list)
    blocked: list[tuple[str, int]] = field(default_factory=list)
    """Path and line of the innermost frame of a coroutine."""
    callbacks: list[tuple[str, str, int]] = field(default_factory=list)
    """Path, name and first line of the function that the loop called."""
    error: str | None = None


class Watch:
    """Notes where smtplib talks to a server on the thread of a running event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self.seen = Seen()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _: object) -> None:
        if event in {"smtplib.connect", "smtplib.send"} and asyncio._get_running_loop() is not None:
            self._note(sys._getframe(1))

    def _note(self, innermost: FrameType) -> None:
        frames = self._frames(innermost)
        comprehension: FrameType | None = None
        for frame in frames:
            if frame.f_code.co_flags & _ON_THE_LOOP:
                where = comprehension or frame
                blocked = (self._path(where), where.f_lineno)
                if blocked not in self.seen.blocked:
                    self.seen.blocked.append(blocked)
                return
            # Up to 3.11 each comprehension has a frame, and knows the line better than the coroutine around it.
            in_one = frame.f_code.co_name in _COMPREHENSIONS
            comprehension = (comprehension or frame) if in_one else None
        code = frames[-1].f_code
        callback = (self._path(frames[-1]), code.co_name, code.co_firstlineno)
        if callback not in self.seen.callbacks:
            self.seen.callbacks.append(callback)

    def _frames(self, innermost: FrameType) -> list[FrameType]:
        """The frames of the legacy modules, from the innermost on."""
        found, frame = [], innermost
        while frame.f_back is not None:
            frame = frame.f_back
            if self._folder in Path(frame.f_code.co_filename).parents:
                found.append(frame)
        return found

    def _path(self, frame: FrameType) -> str:
        return Path(frame.f_code.co_filename).relative_to(self._folder).as_posix()


def perform(case: Case, servers: Servers, watch: Watch) -> Seen:
    """Run one case, on an event loop of its own."""
    servers.reset()
    watch.seen = seen = Seen()
    try:
        module = importlib.import_module(f"{PACKAGE}.{case.module}")
        asyncio.run(case.run(module, servers))
    except BaseException:
        seen.error = traceback.format_exc()
    seen.delivered = servers.mails()
    return seen


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary, running(Path(temporary)) as servers:
        os.environ.update(servers.environment(Path(temporary)))
        sys.path.insert(0, str(folder))
        watch = Watch(folder)
        with redirect_stdout(sys.stderr):
            seen = {case.name: asdict(perform(case, servers, watch)) for case in CASES}
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
