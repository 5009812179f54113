"""Forms: what a blocking member of an object becomes on its bridge.

Owns the functions that stand there: a coroutine function for a method, an async generator function for a generator, a
function that makes an async context manager for one of ``contextlib.contextmanager``, an awaitable reading for a
property. Each gets the bridge as its first argument, and looks the member up by name on the object at every call, so
that what a subclass overrides or a test replaces is what runs. It does not know how a bridge comes by its object.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from types import MethodType
from typing import TYPE_CHECKING, Any

from .arguments import Arguments, Hidden
from .call import perform
from .job import LaneJob
from .kinds import is_async, is_data, is_generator, is_mock, makes_context_managers
from .steps import AsyncContextManager, Present, Steps, walker

if TYPE_CHECKING:
    from .face import AsyncBridge

Form = Callable[..., Any]


def form_of(method: Any, name: str) -> Form | None:
    """Return the form of a method; None if it is to be left as it is, since it is awaited already.

    Args:
        method: The function, as its class has it.
        name: Where to find it on the object.
    """
    if is_async(method):
        return None
    if is_generator(method):
        return a_walk(name)
    if makes_context_managers(method):
        return a_context_manager(name)
    return a_call(name)


def a_call(
    name: str, via: Callable[..., Any] | None = None, undo: Callable[[Any], object] | None = None
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Make the coroutine function of a method.

    Args:
        name: The method's name on the object.
        via: Called with the object and the arguments in place of the method.
        undo: Called with the object, in the worker, if the call succeeded for an awaiter that is gone; not where such
            an awaiter has waited for it.
    """

    def aim(job: LaneJob, bridge: AsyncBridge[Any], target: Any) -> None:
        if via is None:
            job.aim(getattr(target, name), bridge._lane)
        else:
            job.aim(functools.partial(via, target), bridge._lane)
            job.label = f"{type(bridge).__name__}.{name}"
        if undo is not None and bridge._terms.on_cancel != "wait":
            job.discard = _without_the_result(undo, target)

    async def attempt(self: AsyncBridge[Any], /, *args: Any, **kwargs: Any) -> Any:
        job = LaneJob(attempt, args, kwargs, None)
        del args, kwargs  # not to be seen in this frame's variables by whoever collects them
        aim(job, self, await self._ready())
        return self._present(name, await self._perform(job))

    async def call(self: AsyncBridge[Any], /, *args: Any, **kwargs: Any) -> Any:
        waiting = self._retried(attempt)(self, *args, **kwargs)
        del args, kwargs
        return await waiting

    attempt.__name__ = attempt.__qualname__ = name
    # For those who call it without a loop.
    call._aim = aim  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
    return call


def _without_the_result(undo: Callable[[Any], object], target: Any) -> Callable[[Any], object]:
    return lambda _: undo(target)


def a_walk(name: str) -> Form:
    """Make the async generator function of a generator method."""

    async def begin(arguments: Arguments) -> tuple[Iterator[Any], Steps, Present]:
        bridge: AsyncBridge[Any] = arguments.take_first()
        target = await bridge._ready()
        func, steps = getattr(target, name), bridge._steps(name)
        if is_generator(func):
            iterator = arguments(func)
        else:  # an override, or what a test has put there
            iterator = await steps.take(lambda: iter(arguments(func)))
        return iterator, steps, functools.partial(bridge._present, name)

    return walker(begin)


def a_walk_through() -> Form:
    """Make the ``__aiter__`` of an object that can be iterated."""

    async def begin(arguments: Arguments) -> tuple[Iterator[Any], Steps, Present]:
        bridge: AsyncBridge[Any] = arguments.take_first()
        target, steps = await bridge._ready(), bridge._steps("__iter__")
        return await steps.take(iter, target), steps, functools.partial(bridge._present, "__iter__")

    return walker(begin)


def a_context_manager(name: str) -> Form:
    """Make the function that stands for one made by ``contextlib.contextmanager``."""

    def call(self: AsyncBridge[Any], /, *args: Any, **kwargs: Any) -> AsyncContextManager[Any]:
        arguments = Arguments(args, kwargs)
        del args, kwargs

        def present(_: Any, entered: Any) -> Any:
            return self._present(name, entered)

        return AsyncContextManager(lambda: arguments(getattr(self.__wrapped__, name)), self._steps(name), present)

    return call


def a_reading(name: str) -> Form:
    """Make the coroutine function that reads an attribute in a worker."""
    return a_call(name, operator.attrgetter(name))


def a_construction(make: Callable[..., Any], name: str) -> Form:
    """Make the coroutine function that makes an object in a worker, and gives a face around it.

    Its first argument is the class of the face. What is made for an awaiter that is gone is closed.

    Args:
        make: The class of the object, or what returns one.
        name: What the declaration is called, for errors.
    """
    owner = getattr(make, "__self__", None)
    kind = make if inspect.isclass(make) else owner if inspect.isclass(owner) else None
    # A class method is looked up anew, as methods are: a test may have replaced it.
    is_looked_up = isinstance(make, MethodType) and kind is owner
    hidden = Hidden(make)

    def maker() -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(owner, hidden.func.__name__) if is_looked_up else hidden.func
        return found

    def is_one(made: Any) -> bool:
        return is_mock(made) or (not is_data(made) if kind is None else isinstance(made, kind))

    def discard(made: Any) -> None:
        if is_one(made):
            close_if_new(made)

    async def call(cls: type[AsyncBridge[Any]], /, *args: Any, **kwargs: Any) -> Any:
        job = LaneJob(maker(), args, kwargs, None, discard=discard)
        del args, kwargs  # not to be seen in this frame's variables by whoever collects them
        called = job.name
        made = await perform(job, cls._terms)
        if not is_one(made):
            wanted = "an object to await the methods of" if kind is None else f"a {kind.__qualname__}"
            raise TypeError(
                f"{cls.__qualname__}.{name}: {called}() returned {made!r:.80}, and not {wanted}; "
                f"for what returns something else write {name} = staticmethod(bridge(...))"
            )
        return cls(made)

    return call


def close_if_new(target: object) -> None:
    """Close what was made for an awaiter that is gone; in a worker. What may be somebody else's is left alone."""
    kind = type(target)
    # A singleton's class overrides one of the two.
    if type(kind).__call__ is type.__call__ and kind.__new__ is object.__new__:
        close = getattr(target, "close", None)
        if callable(close):
            close()


def install(form: Form, owner: type, name: str, method: Any, *, takes_self: bool = True) -> None:
    """Put a form into a class, with the name, signature and documentation of what it stands for.

    It is not told what that is (``__wrapped__``): a function may know its class, which shall not live as long as this.

    Args:
        form: The form.
        owner: The class.
        name: Its name there.
        method: What it stands for.
        takes_self: Whether that has an object as its first parameter, as the form has.
    """
    for attribute in ("__doc__", "__annotations__"):
        with suppress(AttributeError):
            setattr(form, attribute, getattr(method, attribute))
    with suppress(TypeError, ValueError):  # one written in C may hide it
        signature = inspect.signature(method)
        if not takes_self:
            first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
            signature = signature.replace(parameters=[first, *signature.parameters.values()])
        form.__signature__ = signature  # type: ignore[attr-defined]
    form.__name__, form.__qualname__, form.__module__ = name, f"{owner.__qualname__}.{name}", owner.__module__
    setattr(owner, name, form)
