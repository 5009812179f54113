"""Factories: a class of which the objects are made in a worker, and bridged.

Owns what `bridge` makes of a class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from .arguments import Arguments
from .call import Terms
from .face import Calls
from .forms import close_if_new
from .functions import made_awaitable
from .kinds import is_function
from .proxy import Choices, bridged, to_be_made
from .turns import turn_of

if TYPE_CHECKING:
    from .proxy import AnyProxy

T = TypeVar("T")


class Factory(Generic[T]):
    """A class of which the objects are made in a worker, and bridged.

    Called with the arguments of the class, it gives a proxy that is to be awaited, or entered by ``async with``. Its
    class methods are awaitable; an object of the class that one returns is bridged.
    """

    def __init__(self, kind: type[T], terms: Terms, calls: Calls, choices: Choices) -> None:
        self.__wrapped__ = kind
        self.__doc__ = kind.__doc__
        self._terms = terms
        self._calls: Calls = calls
        self._choices = choices

    def __call__(self, /, *args: Any, **kwargs: Any) -> AnyProxy[T]:
        """Return the proxy of an object that is made when the proxy is awaited."""
        arguments = Arguments(args, kwargs)
        del args, kwargs
        made: Any = to_be_made(self.__wrapped__, arguments, self._terms, self._calls, self._choices)
        return cast("AnyProxy[T]", made)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"a bridged class has no attribute {name!r}")
        member = getattr(self.__wrapped__, name)
        if not is_function(member):
            return member
        turn = turn_of(member, None)
        return made_awaitable(member, self._terms, turn, present=self._present, discard=self._dispose_of)

    def _present(self, result: Any) -> Any:
        if isinstance(result, self.__wrapped__):
            return bridged(result, self._terms, self._calls, self._choices)
        return result

    def _dispose_of(self, result: Any) -> None:
        if isinstance(result, self.__wrapped__):
            close_if_new(result)

    def __repr__(self) -> str:
        return f"bridge({self.__wrapped__.__qualname__})"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.__wrapped__)})
