"""Proxies: the face of an object that nobody wrote one for.

Owns how a face is made from a class (`face_of`), what an object gets besides its methods (``async with``, ``async
for``, ``len``), and objects that are reached through others. It does not know what can be bridged and what cannot.

One face is made per class, and kept for as long as the class lives: bridging the same object at every call costs
little.
"""

from __future__ import annotations

import inspect
import operator
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .arguments import Arguments
from .call import Terms
from .declare import attribute
from .entering import enter, leave, not_a_context_manager
from .face import UNMADE, AsyncBridge, Calls
from .forms import Form, a_call, a_reading, a_walk_through, close_if_new, form_of, install
from .kinds import is_data, is_function, is_mock, is_retried
from .lane import shares_lane

T = TypeVar("T")


@dataclass(frozen=True)
class Choices:
    """What is to be done with single members of an object, by their names."""

    passthrough: frozenset[str] = frozenset()
    """Stay synchronous."""
    nested: frozenset[str] = frozenset()
    """Give objects that are bridged, too."""
    awaitable: frozenset[str] = frozenset()
    """Are read in a worker."""


class Proxy(AsyncBridge[T]):
    """What `bridge` makes of an object; its class has the methods of the object's class."""

    _choices: ClassVar[Choices] = Choices()
    # What its methods stand for: the class that has each, its name, its identity. A method may know its class, which
    # shall not live as long as its face.
    _made_of: ClassVar[Sequence[tuple[weakref.ref[type], str, int]]] = ()
    _retried_ones: ClassVar[Sequence[str]] = ()
    _make_it: Callable[[], Any] | None = None

    def _make(self) -> T:
        assert self._make_it is not None  # noqa: S101 - or else it is made
        made: T = self._make_it()
        return made

    async def _open(self) -> T:
        target = await super()._open()
        self._make_it = None  # it holds the arguments
        return target

    def _dispose_of(self, target: T) -> None:
        close_if_new(target)

    def _why_unmade(self) -> str:
        kind = type(self).__name__.removeprefix("Async")
        return (
            f"the {kind} is not made yet, since that may block: write 'it = await bridge({kind})(...)' "
            f"or 'async with bridge({kind})(...) as it:'"
        )

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in self._choices.passthrough:
                return self._get(name)
            return super().__getattr__(name)

    def _owns(self, name: str) -> bool:
        return name.startswith("_")

    def _writes_through(self, name: str) -> bool:
        return True

    def _member(self, name: str, value: Any) -> Any:
        if is_mock(value):
            # It may stand for an object or for a method, and so may its bridge; what a test asks it, is answered.
            asked = frozenset(name for name in dir(type(value)) if not name.startswith("_"))
            return self._nested(value, Choices(passthrough=asked))
        if name in self._choices.nested and not is_function(value):
            return self._nested(value)
        return super()._member(name, value)

    def _present(self, name: str, result: Any) -> Any:
        if result is self._target:
            return self
        return self._nested(result) if name in self._choices.nested else result

    def _nested(self, inner: Any, choices: Choices = Choices()) -> Any:
        """Bridge what is reached through the object, in its lane."""
        if is_data(inner) or isinstance(inner, AsyncBridge):
            return inner
        if self._lane is None:
            return bridged(inner, self._terms, "concurrent", choices)
        if not shares_lane(inner, self._lane):
            raise RuntimeError(
                f"{inner!r} belongs to {self!r} and is bridged by itself, too, which gave it a lane of its own; "
                "bridge it through one of the two only"
            )
        own = own_face_of(inner)
        if own is not None:
            return own.adopt(inner, self._terms)
        proxy = _proxy_of(inner, self._terms, "concurrent", choices)
        proxy._lane = self._lane
        return proxy


if TYPE_CHECKING:

    class AnyProxy(Proxy[T]):
        """A proxy as type checkers see it: its methods are known when the program runs."""

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...
        async def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Await what the object does when it is called."""

        async def __aenter__(self) -> Any: ...
        async def __aexit__(self, *error: object) -> bool: ...
        def __aiter__(self) -> Any: ...
        def __len__(self) -> int: ...


# What Python looks for in the class, and not in the object.


def _entering() -> Form:
    async def call(self: Proxy[Any], /) -> Any:
        return await enter(self)

    return call


def _leaving() -> Form:
    async def call(
        self: Proxy[Any], exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> bool:
        return await leave(self, exc_type, exc, tb)

    return call


def _refusing_to_enter(kind: type) -> Form:
    refusal = str(not_a_context_manager(f"Async{kind.__name__}", kind))  # the class shall not live as long as its face

    async def __aenter__(self: Proxy[Any], /) -> Any:  # noqa: N807
        raise TypeError(refusal)

    return __aenter__


def _at_once(function: Callable[..., Any]) -> Callable[[], Form]:
    def form() -> Form:
        def call(self: Proxy[Any], /, *args: Any) -> Any:
            return function(self.__wrapped__, *args)

        return call

    return form


def _as_it_is(name: str) -> Callable[[], Form]:
    """Pass on what the object does on a loop already."""

    def form() -> Form:
        def call(self: Proxy[Any], /, *args: Any) -> Any:
            return getattr(self.__wrapped__, name)(*args)

        return call

    return form


def _entering_on_the_loop() -> Form:
    async def call(self: Proxy[Any], /) -> Any:
        target = await self._open()
        return self._present("__aenter__", await target.__aenter__())

    return call


_SPECIAL: dict[str, tuple[tuple[str, Callable[[], Form]], ...]] = {
    "__call__": (("__call__", partial(a_call, "__call__")),),
    "__enter__": (("__aenter__", _entering),),
    "__exit__": (("__aexit__", _leaving),),
    "__iter__": (("__aiter__", a_walk_through),),
    "__len__": (("__len__", _at_once(len)), ("__bool__", _at_once(bool))),
    "__bool__": (("__bool__", _at_once(bool)),),
    "__contains__": (("__contains__", _at_once(operator.contains)),),
}

# Where there is nothing that blocks in its place.
_ASYNC: dict[str, Callable[[], Form]] = {
    "__aenter__": _entering_on_the_loop,
    "__aexit__": _as_it_is("__aexit__"),
    "__aiter__": _as_it_is("__aiter__"),
    "__anext__": _as_it_is("__anext__"),
}


@dataclass(frozen=True)
class OwnFace:
    """How objects of a class, and the class itself, are bridged by a face that somebody wrote."""

    adopt: Callable[[Any, Terms], Any]
    """Makes the face of an object."""
    construct: Callable[[type, Terms], Any]
    """Makes what makes the face of an object that is not made yet."""


_own_faces: dict[type, OwnFace] = {}


def has_own_face(kind: type, own: OwnFace) -> None:
    """Take note of a class that somebody wrote a face for; it counts for its subclasses, too."""
    _own_faces[kind] = own


def own_face_of(target: Any) -> OwnFace | None:
    """Return how an object or a class is bridged, if somebody wrote a face for it."""
    is_one = issubclass if inspect.isclass(target) else isinstance
    return next((own for kind, own in _own_faces.items() if is_one(target, kind)), None)


def bridged(target: Any, terms: Terms, calls: Calls = "serial", choices: Choices | None = None) -> Any:
    """Return the face of an object."""
    own = own_face_of(target)
    if own is not None:
        return own.adopt(target, terms)
    return _proxy_of(target, terms, calls, choices or Choices())


def _proxy_of(target: T, terms: Terms, calls: Calls = "serial", choices: Choices = Choices()) -> Proxy[T]:
    face = face_of(type(target), choices)
    proxy = face.__new__(face)
    proxy._begin(terms, target, calls)
    return proxy


def to_be_made(kind: type[T], arguments: Arguments, terms: Terms, calls: Calls, choices: Choices) -> Proxy[T]:
    """Return the proxy of an object that is made when the proxy is awaited."""
    face = face_of(kind, choices)
    proxy = face.__new__(face)
    proxy._make_it = partial(arguments, kind)
    proxy._begin(terms, UNMADE, calls)
    return proxy


_faces_lock = threading.RLock()  # a metaclass may do anything, bridge something else included
_faces: weakref.WeakKeyDictionary[type, dict[Choices, type[Proxy[Any]]]] = weakref.WeakKeyDictionary()


def face_of(kind: type[T], choices: Choices) -> type[Proxy[T]]:
    """Return the face of a class: a subclass of `Proxy` with its methods."""
    with _faces_lock:
        faces = _faces.setdefault(kind, {})
        face = faces.get(choices)
        # A test may have replaced a method when the face was made, or may have done so since.
        if face is None or _is_outdated(face):
            face = faces[choices] = _made_face(kind, choices)
        return face


def _made_face(kind: type[T], choices: Choices) -> type[Proxy[T]]:
    face: type[Proxy[T]] = type(
        f"Async{kind.__name__}", (Proxy,), {"__doc__": kind.__doc__, "__module__": kind.__module__, "_choices": choices}
    )
    homes = {name: base for base in reversed(kind.__mro__[:-1]) for name in vars(base)}
    members = {name: vars(base)[name] for name, base in homes.items()}
    face._retried_ones = [
        f"{kind.__qualname__}.{name}" for name, member in sorted(members.items()) if is_retried(member)
    ]
    for name, member in members.items():
        if not name.startswith("_") and name not in choices.passthrough | choices.nested:
            _declare(face, name, member, kind)
    declared = [name for name in vars(face) if name in members and not name.startswith("_")]
    face._made_of = [(weakref.ref(homes[name]), name, id(members[name])) for name in declared]
    for name in choices.awaitable:
        setattr(face, name, _awaitable_property(name, members.get(name)))
    for name, forms in _SPECIAL.items():
        if members.get(name) is not None:
            for there, form in forms:
                install(form(), face, there, members[name])
    for name, form in _ASYNC.items():
        if members.get(name) is not None and name not in vars(face):
            install(form(), face, name, members[name])
    if not {"__aenter__", "__aexit__"} <= vars(face).keys():
        face.__aenter__ = _refusing_to_enter(kind)  # type: ignore[method-assign]  # before the object is made
    return face


def _is_outdated(face: type[Proxy[Any]]) -> bool:
    for reference, name, identity in face._made_of:
        base = reference()
        if base is not None and id(vars(base).get(name)) != identity:
            return True
    return False


def _awaitable_property(name: str, member: object) -> property:
    def write(self: Proxy[Any], value: Any) -> None:
        self._set(name, value)

    return property(a_reading(name), write, doc=inspect.getdoc(member))


def _declare(face: type[Proxy[Any]], name: str, member: Any, kind: type) -> None:
    if isinstance(member, property):
        declared = attribute[Any](inspect.getdoc(member) or "")
        declared.__set_name__(face, name)
        setattr(face, name, declared)
        return
    function = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
    form = form_of(function, name) if is_function(function) else None
    if form is not None:
        install(form, face, name, getattr(kind, name), takes_self=function is member)
