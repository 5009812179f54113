"""The synchronous view of what was bridged, for code that is not migrated yet.

Owns `blocking`: the same object, its methods blocking again, and the same order of calls: a thread that calls through
it has its turn in the lane of the object, among the tasks that await the bridge. Without it, code that calls the object
itself would get in between.
"""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import MethodType, TracebackType
from typing import Any, ParamSpec, TypeVar, overload

from .arguments import Arguments, Hidden
from .call import Terms, nothing, perform_here
from .executor import slots_of
from .face import AsyncBridge
from .functions import MadeOf, Turn, described
from .job import BlockingJob, ClosingBlockingJob, name_of
from .kinds import is_function, is_generator, is_mock, makes_context_managers
from .lane import Lane
from .proxy import Choices, Proxy
from .slots import ExecutorFull
from .steps import as_it_is, has_begun

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@overload
def blocking(target: AsyncBridge[T]) -> T: ...
@overload
def blocking(target: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, R]: ...
@overload
def blocking(target: Callable[P, AsyncGenerator[R, Any]]) -> Callable[P, Iterator[R]]: ...
@overload
def blocking(target: Callable[P, AbstractAsyncContextManager[R]]) -> Callable[P, AbstractContextManager[R]]: ...
def blocking(target: Any) -> Any:
    """Return the synchronous view of a bridged object or function, for code that is not migrated yet.

    Its methods block the calling thread, which may be any but that of a running event loop. Calls run where those of
    the bridge run, on the same executor, and have their turn in the same lane. A call from within a call of the same
    object runs at once, on the thread that has the turn. One from within a call of another object, on the same
    executor, raises: its turn could be behind a call that waits for this very thread. A policy given by ``retry=`` is
    not applied.

    Interrupting a call (Ctrl-C) does what the bridge does when its awaiter is cancelled, without waiting for the end.
    Where a bridged call makes such a call and is aborted, so is that one, unless its bridge has another ``on_cancel``.

    Args:
        target: A proxy, a mirror, a face of your own, or a bridged function.

    Raises:
        TypeError: It is none of these.
        RuntimeError: From the calls: made on the thread of a running event loop, or from one of the executor's own; the
            object is not made yet.
    """
    if isinstance(target, AsyncBridge):
        return View(target)
    if isinstance(target, MethodType) and isinstance(target.__self__, AsyncBridge):
        return getattr(View(target.__self__), target.__name__)
    if isinstance(target, MethodType):  # of a method that bridge() decorates
        return MethodType(blocking(target.__func__), target.__self__)
    made_of = getattr(target, "_made_of", None)
    if not isinstance(made_of, MadeOf):
        raise TypeError(
            f"blocking() takes what bridge() made of an object or a function, a mirror, or a face, not {target!r}"
        )
    return _blocking(made_of.func, Turns(made_of.terms, made_of.turn))


NO_ARGUMENTS = Arguments((), {})


class Turns:
    """Calls from a thread that have their turn in a lane, if they have one.

    Args:
        terms: The bridge's.
        turn: In which lane a call has its turn.
        interrupt: For aborts.
        present: What the caller gets of a result.
    """

    def __init__(
        self,
        terms: Terms,
        turn: Turn,
        interrupt: Callable[[], object] = nothing,
        present: Callable[[Any], Any] = as_it_is,
    ) -> None:
        self._terms = terms
        self._turn = turn
        self._interrupt = interrupt
        self.present = present

    def job(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> BlockingJob:
        """Make the job of a call."""
        return BlockingJob(func, args, kwargs, self._turn(args))

    def perform(self, job: BlockingJob) -> Any:
        """Have it run, and block until it has."""
        return perform_here(job, self._terms, self._interrupt)

    def leave(self, job: BlockingJob) -> None:
        """Have it run, and do not wait for it."""
        slots_of(self._terms.executor).leave(job)

    def steps(self, name: str, arguments: Arguments = NO_ARGUMENTS) -> Steps:
        """Return what makes calls one after the other."""
        return Steps(name, self, arguments.turn(self._turn) or Lane())


class Steps:
    """Calls one after the other, in one context."""

    def __init__(self, name: str, turns: Turns, lane: Lane) -> None:
        self._name = name
        self._turns = turns
        self._lane = lane
        self._context = contextvars.copy_context()

    def take(self, func: Callable[..., Any], *args: Any) -> Any:
        """Take a step."""
        return self._take(BlockingJob(func, args, {}, self._lane, label=self._name))

    def take_last(self, func: Callable[..., Any], *args: Any) -> Any:
        """Take the last one, for which there is room."""
        return self._take(ClosingBlockingJob(func, args, {}, self._lane, label=self._name))

    def leave_last(self, func: Callable[..., Any], *args: Any) -> None:
        """Have the last one taken, and do not wait for it."""
        job = ClosingBlockingJob(func, args, {}, self._lane, label=self._name)
        job.within(self._context)
        self._turns.leave(job)

    def _take(self, job: BlockingJob) -> Any:
        job.within(self._context)
        return self._turns.perform(job)


def _blocking(func: Callable[..., Any], turns: Turns) -> Callable[..., Any]:
    """Return the synchronous function that stands for a function or method."""
    if is_generator(func):
        return _walk(func, turns)
    if makes_context_managers(func):
        return _context_manager(func, turns)

    hidden = Hidden(func)
    del func

    def call(*args: Any, **kwargs: Any) -> Any:
        job = turns.job(hidden.func, args, kwargs)
        del args, kwargs  # not to be seen in this frame's variables by whoever collects them
        return turns.present(turns.perform(job))

    return described(call, hidden.func)


def _walk(func: Callable[..., Any], turns: Turns) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Iterator[Any]:
        arguments = Arguments(args, kwargs)
        del args, kwargs
        return _iterate(arguments(func), turns.steps(name_of(func), arguments), turns.present)

    return described(call, func)


def _iterate(iterator: Iterator[Any], steps: Steps, present: Callable[[Any], Any]) -> Iterator[Any]:
    end = steps.take_last
    try:
        while (item := steps.take(next, iterator, _END)) is not _END:
            yield present(item)
    except ExecutorFull:
        end = steps.leave_last  # nobody can say when it has its turn
        raise
    finally:
        if inspect.isgenerator(iterator) and has_begun(iterator):
            end(iterator.close)


_END = object()


def _context_manager(func: Callable[..., Any], turns: Turns) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> AbstractContextManager[Any]:
        arguments = Arguments(args, kwargs)
        del args, kwargs
        return _Entered(lambda: arguments(func), turns.steps(name_of(func), arguments), turns.present)

    return described(call, func)


class _Entered(AbstractContextManager[Any]):
    """A context manager that is entered and left in its turn."""

    def __init__(self, make: Callable[[], Any], steps: Steps, present: Callable[[Any], Any] = as_it_is) -> None:
        self._make = make
        self._steps = steps
        self._present = present

    def __enter__(self) -> Any:
        self._manager = self._make()
        return self._present(self._steps.take(self._manager.__enter__))

    def __exit__(self, *error: Any) -> bool | None:
        suppressed: bool | None = self._steps.take_last(self._manager.__exit__, *error)
        return suppressed


class View:
    """A bridged object, called from threads."""

    __slots__ = ("_bridge", "_entered")
    _bridge: AsyncBridge[Any]
    _entered: list[_Entered]

    def __init__(self, bridge: AsyncBridge[Any]) -> None:
        object.__setattr__(self, "_bridge", bridge)
        object.__setattr__(self, "_entered", [])

    def __repr__(self) -> str:
        return f"<blocking view of {self._bridge!r}>"

    def _turns(self, name: str) -> Turns:
        bridge = self._bridge

        def present(result: Any) -> Any:
            return self if result is bridge._target else _seen(bridge._present(name, result))

        return Turns(bridge._terms, lambda _: bridge._lane, bridge._interrupt, present)

    def __getattr__(self, name: str) -> Any:
        _refuse_private(name)
        bridge, turns = self._bridge, self._turns(name)
        declared = inspect.getattr_static(type(bridge), name, None)
        if hasattr(declared, "_aim"):
            return _declared(bridge, name, declared, turns)
        choices = bridge._choices if isinstance(bridge, Proxy) else Choices()
        if name in choices.awaitable:
            return _blocking(getattr, turns)(bridge.__wrapped__, name)
        if name in choices.passthrough or hasattr(declared, "_stays"):
            return getattr(bridge, name)  # synchronous on the bridge, too
        value = bridge._get(name)
        if is_function(value) and not (name in choices.nested and is_mock(value)):
            return _blocking(value, turns)
        return _seen(getattr(bridge, name))

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse_private(name)
        setattr(self._bridge, name, value)

    def __delattr__(self, name: str) -> None:
        _refuse_private(name)
        delattr(self._bridge, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return View, (self._bridge,)

    def __dir__(self) -> list[str]:
        return dir(self._bridge)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the object."""
        arguments = Arguments(args, kwargs)
        del args, kwargs
        return arguments(_blocking(self._bridge.__wrapped__.__call__, self._turns("__call__")))

    def __enter__(self) -> Any:
        turns = self._turns("__enter__")
        entered = _Entered(
            lambda: self._bridge.__wrapped__, turns.steps(f"{type(self._bridge).__name__}.__enter__"), turns.present
        )
        result = entered.__enter__()
        self._entered.append(entered)
        return result

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        return self._entered.pop().__exit__(exc_type, exc, tb)

    def __iter__(self) -> Iterator[Any]:
        turns = self._turns("__iter__")
        steps = turns.steps(f"{type(self._bridge).__name__}.__iter__")
        yield from _iterate(steps.take(iter, self._bridge.__wrapped__), steps, turns.present)

    def __bool__(self) -> bool:
        return bool(self._bridge.__wrapped__)

    def __len__(self) -> int:
        return len(self._bridge.__wrapped__)

    def __contains__(self, item: object) -> bool:
        return item in self._bridge.__wrapped__


def _refuse_private(name: str) -> None:
    if name.startswith("_"):
        raise AttributeError(f"{name!r}: names with an underscore in front are those of the object itself")


def _seen(value: Any) -> Any:
    return View(value) if isinstance(value, AsyncBridge) else value


def _declared(bridge: AsyncBridge[Any], name: str, declared: Any, turns: Turns) -> Callable[..., Any]:
    """Return the synchronous form of a method that the class of the bridge declares, and may do more than call."""

    def call(*args: Any, **kwargs: Any) -> Any:
        job = BlockingJob(declared, args, kwargs, None)
        del args, kwargs
        declared._aim(job, bridge, bridge.__wrapped__)
        return turns.present(turns.perform(job))

    return described(call, getattr(bridge.__wrapped__, name, declared))
