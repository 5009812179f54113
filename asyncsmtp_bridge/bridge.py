"""The bridge: an object with blocking methods gets a face with awaitable ones.

Owns the proxy (`AsyncBridge`), the typed declaration of its methods (`async_method`), and how an object that must be
made in a worker comes to be made. It does not know what the methods mean.

A face is a table::

    class AsyncCorpMailer(AsyncBridge[CorpMailer]):
        send = async_method(CorpMailer.send)
        verify = async_method(CorpMailer.verify)

Every call runs in a worker thread, in the lane of the object: one at a time, in the order in which they were made.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from .abort import abort
from .executor import BoundedExecutor, slots_of
from .job import RETURNED, LaneJob, logger
from .lane import Lane, lane_of

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
V = TypeVar("V")


class async_method(Generic[P, R]):  # noqa: N801 - reads as the declaration that it is, like property
    """Declares a method of an `AsyncBridge` that awaits a blocking method of the object behind it.

    Signature, types and docstring are those of the blocking method. It is looked up by name on the object at every
    call, so that what a subclass overrides or a test replaces is what runs.

    Args:
        method: The blocking method, as its class has it: ``CorpMailer.send``.
        via: Called with the object and the arguments in place of the method; for a method that needs something done
            before or after, in the worker.
        undo: Called with the object, in the worker, if the method succeeded for an awaiter that is gone.
    """

    def __init__(
        self,
        method: Callable[Concatenate[Any, P], R],
        *,
        via: Callable[..., R] | None = None,
        undo: Callable[[Any], object] | None = None,
    ) -> None:
        if not callable(method):
            raise TypeError(f"async_method() takes a function, as in async_method(CorpMailer.send), not {method!r}")
        self._method = method
        self._via = via
        self._undo = undo

    def __set_name__(self, owner: type, name: str) -> None:
        method, via, undo = self._method, self._via, self._undo
        target_name = getattr(method, "__name__", name)

        async def call(self: AsyncBridge[Any], /, *args: Any, **kwargs: Any) -> Any:
            job = LaneJob(call, args, kwargs, None)
            del args, kwargs  # not to be seen in this frame's variables by whoever collects them
            target = await self._ready()
            if via is None:
                job.aim(getattr(target, target_name), self._lane)
            else:
                job.aim(functools.partial(via, target), self._lane)
                job.label = call.__qualname__
            if undo is not None:
                job.discard = _ignoring_the_result(undo, target)
            return await self._perform(job)

        _install(call, owner, name, method)

    if not TYPE_CHECKING:

        def __call__(self, *_: object, **__: object) -> None:
            """Say what is wrong with a declaration that was put into a class afterwards."""
            raise TypeError("async_method() declares a method in the body of a class; it does nothing elsewhere")

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]: ...
        @overload
        def __get__(self, instance: object, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
        def __get__(self, instance: object | None, owner: type) -> Any: ...


class plain_method(Generic[P, R]):  # noqa: N801 - as async_method
    """Declares a method of an `AsyncBridge` that stays synchronous, because it only looks something up.

    Such a method must not be awaitable: an unawaited coroutine is true, and ``if smtp.has_extn("size")`` would be, too.

    Args:
        method: The method, as its class has it.
    """

    def __init__(self, method: Callable[Concatenate[Any, P], R]) -> None:
        self._method = method

    def __set_name__(self, owner: type, name: str) -> None:
        def call(self: AsyncBridge[Any], /, *args: Any, **kwargs: Any) -> Any:
            return self._get(name)(*args, **kwargs)

        _install(call, owner, name, self._method)

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], R]: ...
        @overload
        def __get__(self, instance: object, owner: type) -> Callable[P, R]: ...
        def __get__(self, instance: object | None, owner: type) -> Any: ...


def _ignoring_the_result(undo: Callable[[Any], object], target: Any) -> Callable[[Any], object]:
    return lambda _: undo(target)


def _is_awaited(method: Any) -> bool:
    # Or, under a decorator that is a plain function, what it decorates is.
    return inspect.iscoroutinefunction(method) or inspect.iscoroutinefunction(inspect.unwrap(method))


def _install(call: Callable[..., Any], owner: type, name: str, method: Callable[..., Any]) -> None:
    """Put a plain function in the declaration's place.

    A type checker sees the declaration, which has the types; everything that looks at classes when a program runs
    (``help``, ``inspect``, ``mock.create_autospec``) knows best what to make of a function.
    """
    functools.update_wrapper(call, method)  # its __wrapped__ is where inspect.signature finds the signature
    call.__name__, call.__qualname__, call.__module__ = name, f"{owner.__qualname__}.{name}", owner.__module__
    setattr(owner, name, call)


class attribute(Generic[V]):  # noqa: N801 - as async_method
    """Declares an attribute of an `AsyncBridge`: that of the object behind it, read and written through.

    Args:
        doc: What the attribute means.
    """

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> attribute[V]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> V: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            return cast(type[AsyncBridge[Any]], owner)._class_attribute(self._name, self)
        return cast(AsyncBridge[Any], instance)._get(self._name)

    def __set__(self, instance: object, value: V) -> None:
        cast(AsyncBridge[Any], instance)._set(self._name, value)


class _Unmade:
    """Stands for an object that is not made yet."""

    def __repr__(self) -> str:
        return "<not made yet>"


UNMADE: Any = _Unmade()


class NotMade(RuntimeError, AttributeError):
    """The object behind a bridge is looked at before it is made. An AttributeError, too: ``hasattr`` answers False."""


class _Wrapped:
    """The attribute ``__wrapped__`` of bridges, but not of their classes, where `inspect` would follow it."""

    def __get__(self, instance: AsyncBridge[Any] | None, owner: type) -> Any:
        if instance is None:
            raise AttributeError(f"type object {owner.__name__!r} has no attribute '__wrapped__'")
        if instance._target is UNMADE:
            raise NotMade(instance._why_unmade())
        return instance._target


Self = TypeVar("Self", bound="AsyncBridge[Any]")


class AsyncBridge(Generic[T]):
    """An object with blocking methods, behind awaitable ones.

    Calls on one object run one at a time, in the order in which they were made, whichever task, thread or event loop
    makes them, and through however many bridges.

    Cancelling a call that waits for its turn withdraws it. Cancelling one that runs aborts it: whatever it is blocked
    on in smtplib is shut down, and it can begin no further step of SMTP; the awaiter gets its CancelledError when the
    thread is back, at most ``configure(cancel_grace=...)`` seconds later. What cannot be interrupted runs on, and the
    object is busy until it has returned.

    Attributes of the object that the class does not declare are there, too: what can be called is awaitable, the rest
    is read and written through. Attributes that the object has not are the bridge's own.

    Args:
        target: The object.
        executor: Where its methods run; the default executor if left out.
    """

    _executor: BoundedExecutor | None
    _lane: Lane
    _target: T = UNMADE
    # How many awaiters the target was made for; changed in the lane only.
    _holders: int
    # Whether one of them has got it, and it stays. Written by whoever awaited it.
    _kept: bool

    def __init__(self, target: T, *, executor: BoundedExecutor | None = None) -> None:
        self._begin(executor, target)

    def _begin(self, executor: BoundedExecutor | None, target: T = UNMADE) -> None:
        if executor is not None and not isinstance(executor, BoundedExecutor):
            raise TypeError(f"executor= takes a BoundedExecutor, not {executor!r}")
        self._executor = executor
        self._target = target
        self._holders = 0
        self._kept = target is not UNMADE
        self._lane = Lane() if target is UNMADE else lane_of(target)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a synchronous method where callers await one.

        A legacy subclass with its own blocking ``sendmail``, moved onto an awaitable base, would do nothing and say
        nothing: what it returns is not what is awaited.
        """
        super().__init_subclass__(**kwargs)
        bases = [base for base in cls.__mro__[1:] if issubclass(base, AsyncBridge)]
        for name in {name for base in bases for name in vars(base)}:
            declared = next(vars(base)[name] for base in bases if name in vars(base))
            value = inspect.getattr_static(cls, name)  # that of a class mixed in, too
            if value is declared:
                continue
            if inspect.iscoroutinefunction(declared) and not _is_awaited(value):
                raise TypeError(
                    f"{cls.__qualname__}.{name} must be 'async def', as the method that it overrides is awaited; "
                    f"to keep a synchronous {name}(), {cls._where_synchronous_methods_go()}"
                )
            if isinstance(declared, attribute) and not isinstance(value, attribute):
                raise TypeError(
                    f"{cls.__qualname__}.{name} would hide that of the object behind it, which would not know of it; "
                    f"{cls._where_synchronous_methods_go()}"
                )
        if "__init__" in vars(cls) and "__signature__" not in vars(cls):
            _, *others = inspect.signature(cls.__init__).parameters.values()
            cls.__signature__ = inspect.Signature(others)

    __signature__: ClassVar[inspect.Signature]

    @classmethod
    def _where_synchronous_methods_go(cls) -> str:
        return "put it into the class of the object behind the bridge"

    if TYPE_CHECKING:

        @property
        def __wrapped__(self) -> T:
            """The synchronous object itself.

            Raises:
                RuntimeError: It is not made yet.
            """
            raise NotImplementedError

    else:
        __wrapped__ = _Wrapped()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._target!r}>"

    # Attributes.

    def _get(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def _set(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)

    @classmethod
    def _class_attribute(cls, name: str, declared: object) -> Any:
        """Return what a declared attribute is on the class itself."""
        return declared

    if not TYPE_CHECKING:  # for a type checker, what is not declared is a mistake

        def __getattr__(self, name: str) -> Any:
            if name == "__wrapped__":
                raise NotMade(self._why_unmade())
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            value = self._get(name)
            if not callable(value) or inspect.isclass(value):
                return value

            @functools.wraps(value)
            async def call(*args: Any, **kwargs: Any) -> Any:
                job = LaneJob(value, args, kwargs, self._lane)
                del args, kwargs
                return await self._perform(job)

            return call

        def __setattr__(self, name: str, value: Any) -> None:
            # What the class declares is the bridge's own, also when a test replaces a method of one instance.
            own = name.startswith("_") or hasattr(type(self), name) or not hasattr(self._target, name)
            if own:
                object.__setattr__(self, name, value)
            else:
                self._set(name, value)

    def __dir__(self) -> list[str]:
        names = set(super().__dir__())
        if self._target is not UNMADE:
            names.update(name for name in dir(self._target) if not name.startswith("_"))
        return sorted(names)

    # Calls.

    async def _ready(self) -> T:
        """Return the object to call a method of."""
        return self.__wrapped__

    async def _perform(self, job: LaneJob) -> Any:
        """Run a job of this object and wait for it; cancelling aborts it."""
        slots = slots_of(self._executor)
        slots.submit(job)
        try:
            return await slots.outcome(job)
        except asyncio.CancelledError:
            if job.abandoned:
                await abort(job, self._interrupt)
            elif job.state is RETURNED:
                logger.info("%s had returned when its caller was cancelled; its result is lost", job.name)
            raise

    def _interrupt(self) -> None:
        """End what the object is known to be connected to; called while one of its jobs runs, and quick."""

    # Making the object.

    def _make(self) -> T:
        """Make the object; in a worker."""
        raise NotImplementedError

    def _dispose_of(self, target: T) -> None:
        """Close an object that was made for awaiters that are gone; in a worker."""

    def _why_unmade(self) -> str:
        """Say what must be done first."""
        return f"{type(self).__name__} was never awaited"

    async def _open(self) -> T:
        """Have the object made, if it is not made yet.

        Cancelling frees the awaiter; what is made nevertheless is closed by the worker.
        """
        if not self._kept:
            name = f"{type(self).__name__}()"
            await self._perform(LaneJob(self._hold, (), {}, self._lane, label=name, discard=self._release))
            self._kept = True
        return self._target

    def _hold(self) -> None:
        # In the lane, so one after the other: of two tasks that await the same bridge, the first makes the object.
        if self._target is UNMADE:
            target = self._make()
            self._lane = lane_of(target, self._lane)
            self._target = target
        self._holders += 1

    def _release(self, _: None) -> None:
        self._holders -= 1
        if not self._holders:
            target, self._target = self._target, UNMADE
            self._dispose_of(target)

    def __await__(self: Self) -> Generator[Any, None, Self]:
        yield from self._open().__await__()
        return self
