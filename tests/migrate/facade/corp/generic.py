"""Generic classes, with other names for their methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from typing_extensions import Self

T = TypeVar("T")


class Archive(Generic[T]):
    """Keeps things."""

    def put(self, one: T) -> int:
        return 1

    add = put

    def count(self) -> int:
        return 1

    size = count

    def _enter(self, one: T) -> T:
        return one

    enter = _enter

    def all(self, of: T) -> Iterator[T]:
        yield of

    each = all

    def legacy(self, one):
        return one

    old = legacy

    def itself(self) -> Self:
        return self

    me = itself

    @classmethod
    def named(cls, name: str) -> Archive[T]:
        return cls()

    called = named

    @staticmethod
    def version(of: int) -> str:
        return ""

    release = version

    def a_method_with_a_name_of_some_length_as_there_are_in_java(self, **options: T) -> T: ...

    another_name_for_the_same_method_as_there_are_in_java = a_method_with_a_name_of_some_length_as_there_are_in_java


class TextArchive(Archive[str]):
    """Keeps texts."""

    def open(self, name: str) -> str:
        return name

    opened = open
