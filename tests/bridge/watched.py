"""A generator and a context manager that are watched."""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from asyncsmtp_bridge import BoundedExecutor, bridge
from tests.hop.gate import Gate, until


class Newsletter:
    """A generator that is watched."""

    def __init__(self, executor: BoundedExecutor | None = None) -> None:
        self.ended: list[str] = []
        self.seen: list[type[BaseException]] = []
        self.over = threading.Event()
        self.gate = Gate()
        self.executor = executor

    def addresses(self, count: int = 3) -> Generator[int, Any, None]:
        """Give addresses."""
        try:
            for number in range(count):
                if number == 1:
                    self.gate("step")
                yield number
        except BaseException as error:
            self.seen.append(type(error))
            raise
        finally:
            self.ended.append(threading.current_thread().name)
            self.over.set()

    def bridged(self) -> Callable[..., AsyncGenerator[int, Any]]:
        return bridge(self.addresses, executor=self.executor)

    async def is_over_once(self) -> None:
        await until(self.over.is_set)
        gc.collect()
        assert len(self.ended) == 1
        assert self.ended != [threading.current_thread().name]


class Session:
    """A context manager that is watched."""

    def __init__(self, answer: bool | None = None) -> None:
        self.entering, self.leaving, self.working = Gate(), Gate(), Gate()
        self.answer = answer
        self.left: list[type[BaseException] | None] = []
        self.threads: list[str] = []

    def open(self, *, entering: bool = True, leaving: bool = True) -> Session:
        if entering:
            self.entering.open()
        if leaving:
            self.leaving.open()
        return self

    def __enter__(self) -> Session:
        self.threads.append(threading.current_thread().name)
        self.entering()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self.threads.append(threading.current_thread().name)
        self.left.append(kind)
        self.leaving()
        return self.answer

    def work(self) -> Any:
        return self.working("work")

    @contextmanager
    def transaction(self, name: str = "x") -> Iterator[str]:
        """Begin, and end."""
        with self:
            yield name
