"""Functions: what becomes of a blocking function, a bound method, or anything else that is called, when it is bridged.

Owns the awaitable function that stands for it, with the same name, parameters and documentation. It does not know which
of them belong to an object: it is told in which lane a call has its turn.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .arguments import Arguments, Hidden
from .call import Terms, nothing, perform
from .job import LaneJob, name_of
from .kinds import is_async, is_generator, makes_context_managers
from .lane import Lane
from .steps import AsyncContextManager, Present, Steps, as_it_is, walker

Turn = Callable[[tuple[Any, ...]], Lane | None]
"""Says in which lane a call has its turn, if in any, by its positional arguments."""


def made_awaitable(
    func: Callable[..., Any],
    terms: Terms,
    turn: Turn,
    interrupt: Callable[[], object] = nothing,
    present: Present = as_it_is,
    discard: Callable[[Any], object] | None = None,
) -> Callable[..., Any]:
    """Return the awaitable form of a function: itself, if that is what it is.

    Args:
        func: The function, or whatever is called.
        terms: The bridge's.
        turn: In which lane a call has its turn.
        interrupt: For aborts.
        present: What the caller gets of a result.
        discard: Called with the result of a call, in the worker, when nobody is left to receive it.
    """
    if is_async(func):
        return func
    if is_generator(func):
        form = _walk(func, terms, turn, interrupt, present)
    elif makes_context_managers(func):
        form = _context_manager(func, terms, turn, interrupt, present)
    else:
        form = terms.retried(_call(func, terms, turn, interrupt, present, discard))
    form = described(form, func)
    # For those who call it without a loop.
    form._made_of = MadeOf(func, terms, turn)  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
    return form


@dataclass(frozen=True)
class MadeOf:
    """What an awaitable function was made of."""

    func: Callable[..., Any]
    terms: Terms
    turn: Turn


def _call(
    func: Callable[..., Any],
    terms: Terms,
    turn: Turn,
    interrupt: Callable[[], object],
    present: Present,
    discard: Callable[[Any], object] | None,
) -> Callable[..., Any]:
    hidden = Hidden(func)
    del func

    async def call(*args: Any, **kwargs: Any) -> Any:
        job = LaneJob(hidden.func, args, kwargs, turn(args), discard=discard)
        del args, kwargs  # not to be seen in this frame's variables by whoever collects them
        return present(await perform(job, terms, interrupt))

    return described(call, hidden.func)


def _walk(
    func: Callable[..., Any], terms: Terms, turn: Turn, interrupt: Callable[[], object], present: Present
) -> Callable[..., Any]:
    async def begin(arguments: Arguments) -> tuple[Iterator[Any], Steps, Present]:
        return iter(arguments(func)), Steps(name_of(func), terms, arguments.turn(turn), interrupt), present

    return walker(begin)


def _context_manager(
    func: Callable[..., Any], terms: Terms, turn: Turn, interrupt: Callable[[], object], present: Present
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> AsyncContextManager[Any]:
        arguments = Arguments(args, kwargs)
        steps = Steps(name_of(func), terms, turn(args), interrupt)
        del args, kwargs
        return AsyncContextManager(lambda: arguments(func), steps, lambda _, entered: present(entered))

    return call


def described(form: Callable[..., Any], func: Callable[..., Any]) -> Callable[..., Any]:
    """Give a form the name, parameters and documentation of what it stands for."""
    if inspect.isroutine(func):
        return functools.update_wrapper(form, func)
    # Other callables may have anything in their __dict__.
    form.__name__ = form.__qualname__ = name_of(func)
    with suppress(AttributeError):
        form.__doc__ = func.__doc__
    form.__wrapped__ = func  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
    return form
