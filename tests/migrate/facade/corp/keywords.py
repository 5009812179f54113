"""Keywords, and type variables of methods: what mypy minds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypedDict, TypeVar

from typing_extensions import Self, Unpack

T = TypeVar("T")
M = TypeVar("M", bound="Mailer")


class Options(TypedDict, total=False):
    urgent: bool


class Mailer:
    """Takes what comes."""

    def __init__(self, host: str, **options: Any) -> None:
        self.host = host

    def send(self, to: str, **headers: str) -> int:
        return len(headers)

    def legacy(self, to, **headers):
        return to

    def anything(self, *args: Any, **kwargs: Any) -> str:
        return ""

    def listed(self, *args: str, **kwargs: Any) -> str:
        return ""

    def apart(self, /, **headers: str) -> int:
        return len(headers)

    def named(self, **options: Unpack[Options]) -> bool:
        return options.get("urgent", False)

    @contextlib.contextmanager
    def session(self, **options: int) -> Iterator[str]:
        yield ""

    def first(self, given: list[T]) -> T:
        return given[0]

    def both(self, given: T, **others: T) -> T:
        return given

    def each(self, given: "list[T]") -> Iterator[T]:  # noqa: UP037 - of its time
        yield from given

    def a_method_with_a_name_of_some_length_as_there_are_in_java(self, given: T, **others: T) -> T:
        return given

    def itself(self: M) -> M:
        return self

    def again(self, times: int) -> Self:
        return self

    @classmethod
    def of(cls, given: T, **options: int) -> Self:
        return cls("x")

    @staticmethod
    def same(given: T, **options: int) -> T:
        return given
