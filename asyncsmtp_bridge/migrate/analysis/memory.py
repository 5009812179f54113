"""Memory: what expressions came to, and what that depends on.

Owns that nothing is evaluated twice without need, and that what depends on itself comes to an end: it is taken for what
it was when it was looked at last, at first for nothing, until that is the same. What is known only grows while more is
learned, so that the order in which things are asked for makes no difference.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager

from .program import Scope
from .values import NOTHING, Values

Key = tuple[ast.expr, Scope]

_MOST = 20
"""How often something that depends on itself is looked at, at most."""

_TOO_DEEP = "too deep"


class Memory:
    """What is known of expressions.

    Args:
        evaluate: What finds out.
    """

    def __init__(self, evaluate: Callable[[ast.expr, Scope], Values]) -> None:
        self._evaluate = evaluate
        self._known: dict[Key, Values] = {}
        self._before: dict[Key, Values] = {}
        self._read: dict[Key, set[Hashable]] = {}
        self._readers: dict[Hashable, set[Key]] = defaultdict(set)
        self._under_way: set[Key] = set()
        self._grown: set[Hashable] = set()
        self._reading: list[set[Hashable]] = [set()]

    def values_of(self, expression: ast.expr, scope: Scope) -> Values:
        """Return what an expression comes to."""
        key = expression, scope
        if key in self._known:
            if key in self._read:
                self._reading[-1] |= self._read[key]
            return self._known[key]
        if key in self._under_way:
            self._reading[-1].add(key)
            return self._before.get(key, NOTHING)
        found = self._found(key)
        if not self._under_way:
            found = self._settled(key, found)
        return found

    def _found(self, key: Key) -> Values:
        read: set[Hashable] = set()
        self._under_way.add(key)
        self._reading.append(read)
        try:
            found = self._evaluate(*key)
        except RecursionError:
            found = NOTHING
            read.add(_TOO_DEEP)
        finally:
            self._under_way.discard(key)
            self._reading.pop()
        if read:
            self._reading[-1] |= read
            self._read[key] = read
            for each in read:
                self._readers[each].add(key)
            if key in read and found != self._before.get(key, NOTHING):
                self._grown.add(key)
        self._known[key] = found
        return found

    def _settled(self, key: Key, found: Values) -> Values:
        """Return what something comes to when what depends on itself has been looked at often enough."""
        for _ in range(_MOST):
            if not self._grown:
                break
            grown, self._grown = self._grown, set()
            self.forget(grown)
            found = self._known[key] if key in self._known else self._found(key)
        self._grown.clear()
        self.forget({_TOO_DEEP})  # from further down it is not
        self._known[key] = found
        return found

    def forget(self, changed: Iterable[Hashable]) -> None:
        """Forget what depends on something that has changed."""
        for each in changed:
            for key in self._readers.pop(each, ()):
                if key in self._known:
                    self._before[key] = self._known.pop(key)
                    self._read.pop(key, None)

    def note(self, read: Hashable) -> None:
        """Take note that what is being looked at depends on something."""
        self._reading[-1].add(read)

    @contextmanager
    def noting(self) -> Iterator[set[Hashable]]:
        """Collect what everything depends on that is looked at meanwhile."""
        read: set[Hashable] = set()
        self._reading.append(read)
        try:
            yield read
        finally:
            self._reading.pop()
