"""The face: an object with blocking methods gets one with awaitable methods.

Owns `AsyncBridge`: how it comes by its object, perhaps one that must be made in a worker, and what it takes from the
object and what it has of its own. It does not know what the methods mean.

A face is a table::

    class AsyncCorpMailer(AsyncBridge[CorpMailer]):
        send = async_method(CorpMailer.send)
        verify = async_method(CorpMailer.verify)

Every call runs in a worker thread, in the lane of the object: one at a time, in the order in which they were made.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from .call import Retry, Terms, perform
from .cancellation import OnCancel
from .declare import attribute
from .entering import Entered, enter, leave
from .executor import BoundedExecutor
from .functions import made_awaitable
from .job import LaneJob
from .kinds import is_function
from .lane import Lane, lane_of
from .steps import Steps

T = TypeVar("T")

Calls = Literal["serial", "concurrent"]


def _is_awaited(method: Any) -> bool:
    # Or, under a decorator that is a plain function, what it decorates is.
    return inspect.iscoroutinefunction(method) or inspect.iscoroutinefunction(inspect.unwrap(method))


def checked_calls(calls: Calls) -> Calls:
    """Return how calls are ordered, if it is one of the two ways.

    Raises:
        ValueError: It is not.
    """
    if calls not in ("serial", "concurrent"):
        raise ValueError(f"calls= is 'serial' or 'concurrent', not {calls!r}")
    return calls


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
    thread is back, at most ``configure(cancel_grace=...)`` seconds later, and a second cancel ends that wait. What
    cannot be interrupted runs on, and the object is busy until it has returned. What is known of the call is the
    attribute ``call`` of the CancelledError: its phase, and its result or error, if it had returned.

    Attributes of the object that the class does not declare are there, too: what can be called is awaitable, the rest
    is read and written through. Attributes that the object has not are the bridge's own.

    Args:
        target: The object.
        executor: Where its methods run; the default executor if left out.
        calls: ``"serial"``, one at a time, or ``"concurrent"``, for an object that is safe to use from many threads.
        on_cancel: What becomes of a running call when its awaiter is cancelled: ``"abort"``, as above; ``"wait"``: it
            runs to its end, and the CancelledError comes then; ``"abandon"``: the CancelledError comes at once, and it
            runs on, unobserved.
        retry: A decorator for coroutine functions, such as ``tenacity.retry(...)``, that calls of methods are put
        through.
            Waiting between attempts is done on the event loop: it holds no thread, and nobody up in the lane.

    Raises:
        TypeError, ValueError: An option that cannot work.
    """

    _terms: Terms = Terms()
    _calls: Calls = "serial"
    _lane: Lane | None
    _making: Lane
    _target: T = UNMADE
    # How many awaiters the target was made for; changed in the lane only.
    _holders: int
    # Whether one of them has got it, and it stays. Written by whoever awaited it.
    _kept: bool
    # What async with has entered; on the loop only.
    _entered: Entered = ()

    def __init__(
        self,
        target: T,
        *,
        executor: BoundedExecutor | None = None,
        calls: Calls = "serial",
        on_cancel: OnCancel = "abort",
        retry: Retry | None = None,
    ) -> None:
        self._begin(Terms(executor, on_cancel, retry), target, checked_calls(calls))

    def _begin(self, terms: Terms, target: T = UNMADE, calls: Calls = "serial") -> None:
        self._terms = terms
        self._calls = calls
        self._target = target
        self._holders = 0
        self._kept = target is not UNMADE
        if target is UNMADE:
            # It is made in a lane in any case: of those who await it, the first makes it.
            self._making = self._lane = Lane()
        else:
            self._lane = lane_of(target) if calls == "serial" else None

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
            return self._member(name, self._get(name))

        def __setattr__(self, name: str, value: Any) -> None:
            if self._owns(name) or not self._writes_through(name):
                object.__setattr__(self, name, value)
            else:
                self._set(name, value)

        def __delattr__(self, name: str) -> None:
            if self._owns(name) or name in vars(self):
                object.__delattr__(self, name)
            else:
                delattr(self.__wrapped__, name)

    def _owns(self, name: str) -> bool:
        # What the class declares is the bridge's own, also when a test replaces a method of one instance.
        return name.startswith("_") or hasattr(type(self), name)

    def _writes_through(self, name: str) -> bool:
        return hasattr(self._target, name)

    def _member(self, name: str, value: Any) -> Any:
        """Return what an attribute of the object, that the class does not declare, is here."""
        if not is_function(value):
            return value
        return made_awaitable(value, self._terms, lambda _: self._lane, self._interrupt, partial(self._present, name))

    def _present(self, name: str, result: Any) -> Any:
        """Return what the caller gets of a method's result."""
        return result

    def __dir__(self) -> list[str]:
        names = set(super().__dir__())
        if self._target is not UNMADE:
            names.update(name for name in dir(self._target) if not name.startswith("_"))
        return sorted(names)

    # Calls.

    async def _ready(self) -> T:
        """Return the object to call a method of."""
        return self.__wrapped__

    def _retried(self, attempt: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Return a method as the policy has it, the same each time: a policy may count."""
        if self._terms.retry is None:
            return attempt
        known: dict[Any, Callable[..., Coroutine[Any, Any, Any]]] = vars(self).setdefault("_policies", {})
        if attempt not in known:
            known[attempt] = self._terms.retried(attempt)
        return known[attempt]

    async def _perform(self, job: LaneJob) -> Any:
        """Run a job of this object and wait for it."""
        return await perform(job, self._terms, self._interrupt)

    def _steps(self, name: str) -> Steps:
        return Steps(f"{type(self).__name__}.{name}", self._terms, self._lane, self._interrupt)

    def _interrupt(self) -> None:
        """End what the object is known to be connected to; called while one of its jobs runs, and quick."""

    # The object's own context manager.

    async def __aenter__(self: Self) -> Self:
        """Enter the object, in a worker.

        What its ``__enter__`` returns is what ``async with`` gives; the bridge, where that is the object itself, as it
        mostly is. Cancelling leaves what was entered for nobody.

        Raises:
            TypeError: It is no context manager.
        """
        entered: Self = await enter(self)
        return entered

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> bool | None:
        """Leave the object, in a worker, whatever becomes of the awaiter; a CancelledError is never swallowed."""
        return await leave(self, exc_type, exc, tb)

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
            await self._perform(LaneJob(self._hold, (), {}, self._making, label=name, discard=self._release))
            self._kept = True
        return self._target

    def _hold(self) -> None:
        # In the lane, so one after the other: of two tasks that await the same bridge, the first makes the object.
        if self._target is UNMADE:
            target = self._make()
            self._lane = lane_of(target, self._making) if self._calls == "serial" else None
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
