"""Names that mean something else, too."""

# ruff: noqa: UP037 - of its time

from __future__ import annotations

import datetime
from datetime import date
from typing import Any

from typing_extensions import Self


class Odd:
    """C:\\temp, and \"\"\"quotes\"\"\"."""

    def create(self, name: str) -> int:
        """ "Make" it."""
        return len(name)

    def list(self) -> list[str]:
        """Say \\"all\\\""""
        return []

    def bridge(self, to: str) -> str:
        return to

    def async_method(self) -> None:
        """Nothing."""

    @property
    def date(self) -> date:
        """When."""
        return datetime.date(2024, 1, 1)

    @property
    def others(self) -> "list[Self]":
        return [self]

    names: "list[str]"
    unknown: "NoSuchThing"  # noqa: F821 # type: ignore[name-defined]
    a_long_name_for_an_attribute: dict[str, tuple[datetime.datetime, datetime.timedelta, "Odd"]]

    def a_method_with_a_name_of_some_length_as_there_are_in_java(self) -> None: ...

    @staticmethod
    def a_function_with_a_name_of_some_length_as_there_are_in_java() -> None: ...

    @staticmethod
    def staticmethod(of: int) -> int:
        return of


class Outer:
    class Inner:
        """Stands in another class."""

        class Refused(Exception):
            """Not sent."""

        result: "Refused | None" = None

        @classmethod
        def alone(cls) -> Outer.Inner:
            return cls()

        def send(self, to: str) -> Outer.Inner.Refused | None:
            return None


class Added:
    def send(self, to: str) -> int:
        return len(to)


def _add(name: str) -> None:
    def method(self: Added, *args: Any) -> str:
        """Added by a loop."""
        return name

    setattr(Added, name, method)


for _each in ("send_now", "send_later"):
    _add(_each)
