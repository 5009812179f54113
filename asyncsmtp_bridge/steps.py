"""Generators and context managers, step by step: each step a call, all of them in one context.

Owns what an async iterator and an async context manager do in place of the synchronous ones behind them. Every step
runs in a worker, perhaps each in another thread, but all in the same copy of the caller's context variables: what the
first step sets, the last one can reset. Between the steps the lane of the object is free.

What was begun is ended: the generator is closed, or the context manager left, in a worker, when the consumer stops
early, fails or is cancelled.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from . import watch
from .arguments import Arguments
from .call import Terms, conclude, conclude_soon, leave, nothing, perform
from .job import ClosingJob, LaneJob
from .lane import Lane

T = TypeVar("T")


class Steps:
    """Calls one after the other, in one context.

    Args:
        name: What to call them in logs.
        terms: The bridge's.
        lane: That of the object, if it has one; steps have one in any case.
        interrupt: For aborts.
    """

    def __init__(self, name: str, terms: Terms, lane: Lane | None, interrupt: Callable[[], object] = nothing) -> None:
        self._name = name
        self._terms = terms
        self._lane = lane or Lane()
        self._interrupt = interrupt
        self._own_context: contextvars.Context | None = None

    @property
    def _context(self) -> contextvars.Context:
        """The caller's context variables, as they are at the first step."""
        if self._own_context is None:
            self._own_context = contextvars.copy_context()
        return self._own_context

    async def take(self, func: Callable[..., Any], *args: Any, discard: Callable[[Any], object] | None = None) -> Any:
        """Take a step; cancelling does what the terms say.

        Args:
            func: The step.
            *args: Its arguments.
            discard: Called with the step's result, in the worker, when nobody is left to receive it.
        """
        if discard is not None:
            discard = _inside(self._context, discard)
            if self._terms.on_cancel == "abort":
                discard = watch.forbidden(discard)  # the awaiter trusts that nothing is sent any more
        job = LaneJob(func, args, {}, self._lane, label=self._name, discard=discard)
        job.within(self._context)
        return await perform(job, self._terms, self._interrupt)

    async def take_last(self, func: Callable[..., Any], *args: Any, error: BaseException | None = None) -> Any:
        """Take the last step, whatever becomes of the awaiter.

        Args:
            func: The step.
            *args: Its arguments.
            error: What brought the end about. A cancelled awaiter does not wait for long, and one that is thrown away
                not at all; neither sees what comes of the step.
        """

        def job() -> ClosingJob:
            last = ClosingJob(func, args, {}, self._lane, label=self._name.replace("__enter__", "__exit__"))
            last.within(self._context)
            return last

        if isinstance(error, GeneratorExit):
            leave(job, self._terms)
        elif isinstance(error, asyncio.CancelledError):
            await conclude_soon(job, self._terms, self._interrupt)
        else:
            return await conclude(job, self._terms, self._interrupt)
        return None


def _inside(context: contextvars.Context, func: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda result: context.run(func, result)


Present = Callable[[Any], Any]
"""Makes of a result what the caller gets."""


def as_it_is(result: Any) -> Any:
    """Give the caller what came."""
    return result


Begin = Callable[[Arguments], Awaitable["tuple[Iterator[Any], Steps, Present]"]]

_END = object()


def walker(begin: Begin) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Make an async generator function that iterates in workers.

    What is sent or thrown into the async generator goes on to the generator behind it.

    Args:
        begin: Called with the arguments; gives the iterator, how its steps are taken, and what its items become.
    """

    async def walk(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        arguments = Arguments(args, kwargs)
        del args, kwargs
        iterator, steps, present = await begin(arguments)
        # Other iterators may have methods of these names, too, which mean something else.
        generator = iterator if inspect.isgenerator(iterator) else None
        error: BaseException | None = None
        try:
            item = await steps.take(_next, iterator)
            while item is not _END:
                try:
                    sent = yield present(item)
                except GeneratorExit:  # noqa: PERF203 - a generator is a loop around this
                    raise
                except asyncio.CancelledError as thrown:
                    if generator is not None:
                        await steps.take_last(_throw, generator, thrown, error=thrown)
                    raise
                except BaseException as thrown:
                    if generator is None:
                        raise
                    item = await steps.take(_throw, generator, thrown)
                    if item is thrown:
                        raise
                else:
                    arguments = Arguments((sent,), {})
                    del sent
                    item = await (
                        steps.take(_next, iterator)
                        if generator is None
                        else steps.take(_guarded, generator.send, arguments)
                    )
            generator = None
        except asyncio.CancelledError as cancelled:
            error = cancelled
            raise
        finally:
            if generator is not None and has_begun(generator):
                await steps.take_last(generator.close, error=error)
            del error  # its traceback holds this frame

    return walk


def has_begun(generator: Generator[Any, Any, Any]) -> bool:
    """Whether there is something to be ended."""
    return inspect.getgeneratorstate(generator) not in (inspect.GEN_CREATED, inspect.GEN_CLOSED)


def _next(iterator: Iterator[Any]) -> Any:
    return next(iterator, _END)


def _guarded(step: Callable[[Any], Any], arguments: Arguments) -> Any:
    try:
        return arguments(step)
    except StopIteration:
        return _END


def _throw(generator: Generator[Any, Any, Any], thrown: BaseException) -> Any:
    try:
        return generator.throw(thrown)
    except StopIteration:
        return _END
    except BaseException as error:
        if error is thrown:
            return thrown  # let through; raised here, it would come back as another one
        raise


class AsyncContextManager(Generic[T]):
    """A context manager that is entered and left in workers, in one context.

    A cancellation is never swallowed by it: what its ``__exit__`` answers to a CancelledError, which code of its age
    did not know, does not count.

    Args:
        make: Makes the context manager, in the worker, as part of entering it.
        steps: How.
        present: Makes what ``async with`` gives of what ``with`` would give, with the manager.
    """

    def __init__(
        self,
        make: Callable[[], AbstractContextManager[T]],
        steps: Steps,
        present: Callable[[AbstractContextManager[T], T], T] = lambda _, entered: entered,
    ) -> None:
        self._make = make
        self._steps = steps
        self._present = present
        self._manager: AbstractContextManager[T] | None = None

    async def __aenter__(self) -> T:
        if self._manager is not None:
            raise RuntimeError("a context manager like this is entered once; make another one")
        manager, entered = await self._steps.take(self._enter, discard=self._leave_unentered)
        self._manager = manager
        return self._present(manager, entered)

    def _enter(self) -> tuple[AbstractContextManager[T], T]:
        manager = self._make()
        return manager, manager.__enter__()

    @staticmethod
    def _leave_unentered(made: tuple[AbstractContextManager[T], T]) -> None:
        cancelled = asyncio.CancelledError()
        _leave(made[0], type(cancelled), cancelled, None)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> bool:
        assert self._manager is not None  # noqa: S101 - it was entered
        suppressed = await self._steps.take_last(_leave, self._manager, exc_type, exc, tb, error=exc)
        return bool(suppressed) and not isinstance(exc, asyncio.CancelledError)


def _leave(
    manager: AbstractContextManager[Any],
    exc_type: type[BaseException] | None,
    exc: BaseException | None,
    tb: TracebackType | None,
) -> bool | None:
    try:
        return manager.__exit__(exc_type, exc, tb)
    except BaseException as error:
        if error is exc:
            return False  # raised again, instead of let through
        raise
