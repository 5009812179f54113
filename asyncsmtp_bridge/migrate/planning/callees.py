"""Callees: functions, methods and objects that a coroutine uses and has not made, and how they are bridged.

Owns what takes the place of one call, or of one property or context manager, by itself. What is done with objects that
the coroutine makes is in `asyncsmtp_bridge.migrate.planning.sessions`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ..analysis.blocking import Step
from ..analysis.inference import Inference
from ..analysis.program import Function
from ..analysis.values import Awaitable, Instance, Manager
from ..editing.edits import Span
from ..lines import Lines
from ..scanning.mends import Parents
from .drafts import CHAINED, Draft
from .naming import Naming
from .places import Unsafe, check_place
from .sessions import NAMED_ON_THE_WAY
from .sharing import Sharing
from .threads import Threads


class Callees:
    """What one coroutine function calls.

    Args:
        function: The function.
        inference: What its expressions come to.
        parents: What each node of the module stands in.
        lines: The text of the module.
        naming: The bridges of the module.
        sharing: What functions share.
        threads: What else keeps them from running in threads.
    """

    def __init__(
        self,
        function: Function,
        inference: Inference,
        parents: Parents,
        lines: Lines,
        naming: Naming,
        sharing: Sharing,
        threads: Threads,
    ) -> None:
        self._function = function
        self._inference = inference
        self._parents = parents
        self._lines = lines
        self._naming = naming
        self._sharing = sharing
        self._threads = threads

    def draft(self, step: Step) -> Draft:
        """Return the edits for one step.

        Raises:
            Unsafe: There are none.
        """
        drafted = Draft({step.node})
        node = step.node
        check_place(node, self._function, self._parents)
        if isinstance(self._parents[node], ast.Await):
            raise Unsafe("it blocks before it gives what is awaited: make it a coroutine function")
        if step.session and isinstance(step.receiver, Instance):
            raise Unsafe(self._origin(node))
        if isinstance(node, ast.Attribute):
            self._read(node, drafted)
        elif step.is_entered:
            self._enter_object(node, drafted)
        elif isinstance(node, ast.Call):
            self._call(node, drafted)
        else:
            raise Unsafe("it is not a call")
        return drafted

    def bridged(self, func: ast.expr, drafted: Draft, awaitable: frozenset[str] = frozenset()) -> str:
        """Return what is called in place of a function or a class.

        Args:
            func: What is called.
            drafted: Where to note what that needs.
            awaitable: Properties that block.

        Raises:
            Unsafe: It cannot be written.
        """
        source = self.source(func)
        self.need("bridge", drafted)
        if awaitable:
            names = ", ".join(f'"{name}"' for name in sorted(awaitable))
            return f"bridge({source}, awaitable=({names}{',' * (len(awaitable) == 1)}))"
        bridge = self._naming.bridge_of(func, source, self._function)
        if bridge is None:
            return f"bridge({source})"
        drafted.bridges.add(bridge)
        return bridge.name

    def need(self, name: str, drafted: Draft) -> None:
        """Note that a name of this package's is needed.

        Raises:
            Unsafe: Something else has it.
        """
        self._naming.check(name, self._function)
        drafted.imports.add(name)

    def enter(self, entered: ast.expr, drafted: Draft) -> None:
        """Have a ``with`` statement become ``async with``.

        Raises:
            Unsafe: It is one already.
        """
        statement = self._parents[self._parents[entered]]
        if not isinstance(statement, ast.With):
            raise Unsafe("async with enters it already: make it before, in a statement of its own")
        drafted.entered.setdefault(statement, set()).add(entered)

    def walk(self, call: ast.expr, drafted: Draft) -> None:
        """Have the ``for`` that walks through a generator become ``async for``.

        Raises:
            Unsafe: Nothing walks through it, or it cannot be asynchronous.
        """
        parent = self._parents[call]
        if isinstance(parent, ast.For) and parent.iter is call:
            if any(isinstance(each, (ast.Break, ast.Return)) for line in parent.body for each in ast.walk(line)):
                raise Unsafe(
                    "the loop may be left early, and the generator would be closed some time later: write 'async with "
                    "contextlib.aclosing(bridge(...)(...)) as it', and walk through it"
                )
            drafted.walked.add(Span.of(parent))
        elif isinstance(parent, ast.comprehension) and parent.iter is call:
            check_place(parent.target, self._function, self._parents)
            drafted.walked.add(Span.of(call))
        else:
            raise Unsafe("it is a generator, and no for statement walks through it here")

    def source(self, node: ast.expr) -> str:
        """Return the source of an expression, on one line.

        Raises:
            Unsafe: It cannot be written on one.
        """
        if any(isinstance(each, ast.Await) for each in ast.walk(node)):
            raise Unsafe(CHAINED)
        source = self._lines.source(node)
        if node.lineno == node.end_lineno:
            return source
        if not _is_the_same(source.replace("\\ ", ""), node):
            raise Unsafe("it is written in several lines, with a comment or a string among them")
        return ast.unparse(node)

    def _read(self, node: ast.Attribute, drafted: Draft) -> None:
        source = f'bridge({self.source(node.value)}, awaitable=("{node.attr}",)).{node.attr}'
        drafted.replaced[Span.of(node)] = source
        drafted.awaited.add(Span.of(node))
        self.need("bridge", drafted)

    def _enter_object(self, node: ast.expr, drafted: Draft) -> None:
        item = self._parents[node]
        if isinstance(item, ast.withitem) and item.optional_vars is not None:
            raise Unsafe("what it gives when it is entered would be a proxy, of which all calls are awaited")
        drafted.replaced[Span.of(node)] = f"bridge({self.source(node)})"
        self.need("bridge", drafted)
        self.enter(node, drafted)

    def _call(self, call: ast.Call, drafted: Draft) -> None:
        values = self._inference.values_of(call.func, self._function.scope)
        if not values and isinstance(call.func, (ast.Name, ast.Attribute)):
            raise Unsafe(f"{ast.unparse(call.func)}() calls it, and awaits nothing: write a loop")
        called = [each for value in values for each, _ in self._inference.calls.functions_of(value)]
        if any(_is_nested(each) for each in called):
            raise Unsafe("it is a nested function, which may use what belongs to the event loop")
        if any(self._inference.calls.is_retried(each) for each in called):
            raise Unsafe("a retry policy decorates it, and would sleep in a worker: bridge what is below, with retry=")
        self._check_sharing(called)
        given = self._inference.values_of(call, self._function.scope)
        if any(isinstance(each, Awaitable) for each in given):
            raise Unsafe("it blocks before it gives what is awaited: make it a coroutine function")
        if any(isinstance(each, Manager) for each in given):
            self._check_manager(call)
            self.enter(call, drafted)
        elif any(each.is_generator for each in called):
            self.walk(call, drafted)
        else:
            drafted.awaited.add(Span.of(call))
        drafted.replaced[Span.of(call.func)] = self.bridged(call.func, drafted)

    def _check_sharing(self, called: Iterable[Function]) -> None:
        for each in called:
            if each.is_async:
                continue
            objection = self._threads.objection(each)
            if objection is not None:
                raise Unsafe(objection)
            shared = self._sharing.of(each)
            if shared is not None:
                raise Unsafe(
                    f"it uses {shared}, as other calls do, and in threads they would run side by side: bridge what "
                    "is shared, and await its methods, or put a lock around its use"
                )

    def _check_manager(self, call: ast.Call) -> None:
        if not isinstance(self._parents[call], ast.withitem):
            raise Unsafe("it makes a context manager that is not entered here")
        for value in self._inference.calls.entered(self._inference.values_of(call, self._function.scope)):
            if isinstance(value, Instance):
                raise Unsafe(f"what it gives when it is entered, of the class {value.kind.name}, would still block")

    def _origin(self, node: ast.expr) -> str:
        """Say why a session that the function has not made is left alone."""
        source = node
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Attribute):
                return f"{ast.unparse(node.func)} is a method of a session, under a name of its own"
            source = node.func.value
        source = source.value if isinstance(source, ast.Await) else source
        text = ast.unparse(source)
        if isinstance(source, ast.Attribute):
            return f"the session is stored in {text}"
        if isinstance(source, ast.Call):
            return f"the session comes from {ast.unparse(source.func)}()"
        if isinstance(source, ast.NamedExpr):
            return NAMED_ON_THE_WAY
        if isinstance(source, ast.Name):
            return self._origin_of(source.id)
        return f"where the session {text} is made is not seen here"

    def _origin_of(self, name: str) -> str:
        bound = self._function.scope.bindings.get(name, ())
        if any(each.how == "parameter" for each in bound):
            return f"the session is a parameter, {name}: it is for the caller to make it an AsyncSMTP"
        if not bound:
            return f"the session {name} is not made in this function"
        origin = bound[0].what.value if isinstance(bound[0].what, ast.Await) else bound[0].what
        if isinstance(origin, ast.Call):
            return f"the session {name} comes from {ast.unparse(origin.func)}()"
        return f"where the session {name} is made is not seen here"


def _is_the_same(source: str, node: ast.expr) -> bool:
    try:
        return ast.dump(ast.parse(source, mode="eval").body) == ast.dump(node)
    except SyntaxError:
        return False


def _is_nested(function: Function) -> bool:
    return isinstance(function.outer.holder, Function) or isinstance(function.node, ast.Lambda)
