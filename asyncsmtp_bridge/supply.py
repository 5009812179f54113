"""The supply: where the messages of a stream come from, and when more may be asked for.

Owns the difference between a message that may be waited for and one that is at hand. It does not know what messages
are.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from typing import Any

Item = Message | tuple[Any, ...] | None
"""What a stream is made of: a message, or a tuple of the arguments of ``sendmail``; None: none at hand."""


class Supply:
    """Where messages come from, and whether more may be asked for."""

    def __init__(self, source: Iterator[Item]) -> None:
        self._source = source
        self._has_ended = False
        self._error: Exception | None = None

    def wait(self) -> Item:
        """Return the next one, when it is there; None at the end.

        Raises:
            Exception: What the source raised, also before, when it was asked for what is at hand.
        """
        if self._error is not None:
            raise self._error
        while not self._has_ended:
            item = next(self._source, _END)
            if item is _END:
                self._has_ended = True
            elif item is not None:
                return item
        return None

    def at_hand(self) -> Item:
        """Return the next one if it need not be waited for."""
        if self._has_ended or self._error is not None:
            return None
        try:
            item = next(self._source, _END)
        except Exception as error:
            self._error = error  # another message is under way, which shall have its answer first
            return None
        self._has_ended = item is _END
        return None if item is _END else item


_END: Any = object()
