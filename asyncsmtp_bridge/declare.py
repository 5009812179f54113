"""Declarations: what is written in the class of a bridge for the members of the object behind it.

Owns `async_method`, `async_method.factory`, `plain_method` and `attribute`. A type checker sees them, since they have
the types. When the class is made, a function takes the place of each method: everything that looks at classes while a
program runs (``help``, ``inspect``, ``mock.create_autospec``) knows best what to make of a function.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from .forms import a_call, a_construction, a_reading, form_of, install

if TYPE_CHECKING:
    from contextlib import _GeneratorContextManager

    from .face import AsyncBridge

    class _NotAnnotated:
        """What no method returns: only Any fits it."""


P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")
V = TypeVar("V")
Face = TypeVar("Face", bound="AsyncBridge[Any]")


class async_method(Generic[P, R]):  # noqa: N801 - reads as the declaration that it is, like property
    """Declares a method of an `AsyncBridge` that awaits a blocking method of the object behind it.

    Signature, types and docstring are those of the blocking method. It is looked up by name on the object at every
    call, so that what a subclass overrides or a test replaces is what runs. A generator becomes an async generator, a
    method made by ``contextlib.contextmanager`` an async context manager, and a property a method without arguments.

    Args:
        method: The blocking method, as its class has it: ``CorpMailer.send``.
        via: Called with the object and the arguments in place of the method; for a method that needs something done
            before or after, in the worker.
        undo: Called with the object, in the worker, if the method succeeded for an awaiter that is gone.
    """

    @overload
    def __init__(
        self,
        method: Callable[Concatenate[Any, P], R],
        *,
        via: Callable[..., R] | None = None,
        undo: Callable[[Any], object] | None = None,
    ) -> None: ...
    @overload
    def __init__(self: async_method[[], object], method: property) -> None: ...
    @overload
    def __init__(self: async_method[[], V], method: cached_property[V]) -> None: ...
    def __init__(
        self,
        method: Any,
        *,
        via: Callable[..., Any] | None = None,
        undo: Callable[[Any], object] | None = None,
    ) -> None:
        if not callable(method) and not isinstance(method, (property, cached_property)):
            raise TypeError(f"async_method() takes a function, as in async_method(CorpMailer.send), not {method!r}")
        self._method = method
        self._via = via
        self._undo = undo

    def __set_name__(self, owner: type, name: str) -> None:
        method = self._method
        if isinstance(method, (property, cached_property)):
            getter = method.fget if isinstance(method, property) else method.func
            install(a_reading(getattr(getter, "__name__", name)), owner, name, getter)
            return
        name_there = getattr(method, "__name__", name)
        if self._via is None and self._undo is None:
            form = form_of(method, name_there) or a_call(name_there)
        else:
            form = a_call(name_there, self._via, self._undo)
        install(form, owner, name, method)

    @staticmethod
    def factory(make: Callable[Q, object]) -> async_factory[Q]:
        """Declare a way of making a face together with its object, in a worker.

        ::

            class AsyncCorpMailer(AsyncBridge[CorpMailer]):
                create = async_method.factory(CorpMailer)
                from_url = async_method.factory(CorpMailer.from_url)

            mailer = await AsyncCorpMailer.create("mail.example.org")

        Parameters and documentation are those of what is called. It gives a face of the class that it is called on, a
        subclass included. Cancelling frees the awaiter, and what is made nevertheless is closed by the worker.

        Args:
            make: The class of the object, or what returns one: a class method, mostly.
        """
        return async_factory(make)

    if not TYPE_CHECKING:

        def __call__(self, *_: object, **__: object) -> None:
            """Say what is wrong with a declaration that was put into a class afterwards."""
            raise TypeError("async_method() declares a method in the body of a class; it does nothing elsewhere")

    if TYPE_CHECKING:
        # A result that is not annotated fits all of these; the first that fits counts.
        @overload
        def __get__(
            self: async_method[P, _NotAnnotated], instance: object, owner: type
        ) -> Callable[P, Coroutine[Any, Any, Any]]: ...
        @overload
        def __get__(
            self: async_method[P, _GeneratorContextManager[S]], instance: object, owner: type
        ) -> Callable[P, AbstractAsyncContextManager[S]]: ...
        @overload
        def __get__(
            self: async_method[P, Iterator[S]], instance: object, owner: type
        ) -> Callable[P, AsyncGenerator[S, Any]]: ...
        @overload
        def __get__(
            self: async_method[P, Generator[S, Any, Any]], instance: object, owner: type
        ) -> Callable[P, AsyncGenerator[S, Any]]: ...
        @overload
        def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]: ...
        @overload
        def __get__(self, instance: object, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
        def __get__(self, instance: object | None, owner: type) -> Any: ...


class async_factory(Generic[P]):  # noqa: N801 - as async_method
    """What `async_method.factory` declares.

    Args:
        make: The class of the object, or what returns one.
    """

    def __init__(self, make: Callable[P, object]) -> None:
        if not callable(make):
            raise TypeError(
                f"async_method.factory() takes a class, or what makes an object of it, as in "
                f"async_method.factory(CorpMailer), not {make!r}"
            )
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        make = self._make
        form = a_construction(make, name)
        install(form, owner, name, make, takes_self=False)
        if inspect.isclass(make):  # its annotations are those of attributes, and a constructor returns None
            form.__annotations__ = {}
            signature = inspect.signature(form)
            form.__signature__ = signature.replace(return_annotation=owner)  # type: ignore[attr-defined]
        setattr(owner, name, classmethod(form))

    if TYPE_CHECKING:

        def __get__(self, instance: object, owner: type[Face]) -> Callable[P, Coroutine[Any, Any, Face]]: ...


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

        # Where a blocking view asks what it is.
        call._stays = True  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
        install(call, owner, name, self._method)

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], R]: ...
        @overload
        def __get__(self, instance: object, owner: type) -> Callable[P, R]: ...
        def __get__(self, instance: object | None, owner: type) -> Any: ...


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
            return cast("type[AsyncBridge[Any]]", owner)._class_attribute(self._name, self)
        return cast("AsyncBridge[Any]", instance)._get(self._name)

    def __set__(self, instance: object, value: V) -> None:
        cast("AsyncBridge[Any]", instance)._set(self._name, value)
