"""A dataclass."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, Optional

from . import base as _base

if TYPE_CHECKING:
    from email.message import EmailMessage

Receipts = dict[str, int]


@dataclass
class Outbox:
    """What is to be sent."""

    host: str
    port: int = 25
    """Where it listens."""
    price: Optional["Decimal"] = None  # noqa: UP037, UP045 - of its time
    mode: Literal["fast", 'it"s'] = "fast"
    tags: list[str] = field(default_factory=list)
    patience: Annotated[timedelta, "of a saint"] = timedelta(seconds=3)
    failed: _base.Failures = dataclasses.field(default_factory=list)
    receipts: Receipts | None = None
    secret: dataclasses.InitVar[str] = ""
    waiting: list[EmailMessage] = field(default_factory=list)
    limit: ClassVar[int] = 100
    LIMIT: Final = 5

    def put(self, message: EmailMessage, *, urgent: bool = False) -> int:
        """Put a message into it."""
        self.waiting.insert(0 if urgent else len(self.waiting), message)
        return len(self.waiting)
