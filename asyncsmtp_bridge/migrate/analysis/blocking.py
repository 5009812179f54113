"""Blocking: which calls of a program come to a server, and by which way.

Owns the steps: a call of smtplib that talks to the server, or a call of a function that comes to one, however many
functions further on. It does not ask where a step is taken; in a thread it is nobody's trouble.

What is called by a function that is given it (``with_retries(send, message)``) counts where it is given.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .decorators import HANDS_OVER, last_name
from .handing import Handing
from .inference import Inference
from .program import Function, Kind, Scope
from .values import Bridged, External, Instance, Method, Value

# What smtplib's methods do, as clauses. Others look something up, or close a socket without a word.
DOES = {
    "__init__": "connects",
    "connect": "connects",
    "helo": "greets the server",
    "ehlo": "greets the server",
    "ehlo_or_helo_if_needed": "greets the server",
    "starttls": "starts TLS",
    "login": "logs in",
    "auth": "logs in",
    "sendmail": "sends a message",
    "send_message": "sends a message",
    "send_stream": "sends messages",
    "data": "sends a message",
    "mail": "gives the server a reverse-path",
    "rcpt": "gives the server a recipient",
    "quit": "ends the session with QUIT",
    "__exit__": "ends the session with QUIT",
    **{name: f"waits for the reply to {name.upper()}" for name in ("rset", "noop", "help", "vrfy", "expn")},
    "verify": "waits for the reply to VRFY",
    "docmd": "waits for the reply to a command",
    "getreply": "waits for a reply",
    "putcmd": "sends a command",
    "send": "sends",
}


@dataclass(frozen=True, eq=False)
class Step:
    """A call that comes to a server.

    Args:
        node: The expression: a call, an attribute that is a property, what a ``with`` statement enters, or what is
            given to something that calls it.
        does: What smtplib does then.
        called: The function that is called; None: smtplib's own.
        session: The class of smtplib's on an object of which it is called, or which is called; empty: neither.
        receiver: What it is called on, or the class that is called.
        is_given: Whether the expression is only given to something that calls it.
        is_entered: Whether it is entered, and it is that which takes a step.
        name: The method of smtplib's; or that of the property.
        is_chosen: Whether it is one of several classes that is called, and which one is known when the program runs.
    """

    node: ast.expr
    does: str
    called: Function | None = None
    session: str = ""
    receiver: Value = None
    is_given: bool = False
    is_entered: bool = False
    name: str = ""
    is_chosen: bool = False


class Blocking:
    """Which functions of a program come to a server.

    Args:
        inference: What the expressions of the program come to.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._handing = Handing(inference)
        self._first: dict[Function, Step] = {}
        self._asked: set[Function] = set()
        functions = [each for module in inference.modules for each in module.functions if not each.is_async]
        callers: dict[Function, list[Function]] = defaultdict(list)
        found: dict[Function, Step] = {}
        for function in functions:
            self._asked = set()
            step = self._first_step(function)
            if step is not None:
                found[function] = step
            for callee in self._asked:
                callers[callee].append(function)
        while found:  # each round finds those that are one call further away
            self._first |= found
            further = {caller for each in found for caller in callers[each]} - self._first.keys()
            found = {each: step for each in further if (step := self._first_step(each)) is not None}

    def _first_step(self, function: Function) -> Step | None:
        return next(iter(self.steps(function)), None)

    def _first_of(self, function: Function) -> Step | None:
        self._asked.add(function)
        return self._first.get(function)

    def trace(self, step: Step) -> Iterator[tuple[Function, Step]]:
        """Yield the functions that a step runs, the outermost first, each with its own first step."""
        called = step.called
        while called is not None and called in self._first:
            yield called, self._first[called]
            called = self._first[called].called

    def steps(self, function: Function) -> Iterator[Step]:
        """Yield the steps that a function takes, in the order of its source."""
        yield from self.steps_in(function.own_nodes, function.scope)

    def steps_in(self, nodes: Iterable[ast.AST], scope: Scope) -> Iterator[Step]:
        """Yield the steps among nodes that are evaluated in a scope."""
        told: set[ast.expr] = set()
        elsewhere: set[ast.expr] = set()
        for node in nodes:
            if isinstance(node, ast.Call) and last_name(node.func) in HANDS_OVER:
                elsewhere.update(node.args)
            for step in self._steps_of(node, scope):
                if step.node in told or (
                    step.node in elsewhere and step.called is not None and step.called.is_generator
                ):
                    continue  # or a generator, that is walked through there
                told.add(step.node)
                yield step

    def _steps_of(self, node: ast.AST, scope: Scope) -> Iterator[Step]:
        if isinstance(node, ast.Call):
            is_chosen = len(self._inference.values_of(node.func, scope)) > 1
            for step in _chosen(self._calls(node, scope)):
                yield replace(step, is_chosen=True) if is_chosen else step
            yield from self._given(node, scope)
            yield from self._entered_by_stack(node, scope)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield from _chosen(self._readings(node, scope))
        elif isinstance(node, ast.With):
            for item in node.items:
                entered = item.context_expr
                called = self._calls(entered, scope) if isinstance(entered, ast.Call) else iter(())
                if next(called, None) is None:  # or it is told already
                    yield from _chosen(self._enterings(entered, scope))

    # Calls.

    def _calls(self, call: ast.Call, scope: Scope) -> Iterator[Step]:
        callees = self._inference.values_of(call.func, scope)
        if call in scope.module.awaited:
            if any(_is_awaited(each) for each in callees):
                return
            # What smtplib's methods give cannot be awaited: it is something else that has them.
            callees = frozenset(each for each in callees if not (isinstance(each, Method) and each.function is None))
        is_parameter = isinstance(call.func, ast.Name) and self._handing.is_parameter(call.func, scope)
        for callee in callees:
            if not (is_parameter and isinstance(callee, Kind)):  # that is told where it is given
                yield from self._call_of(callee, call, call)

    def _call_of(self, callee: Value, node: ast.expr, call: ast.Call | None) -> Iterator[Step]:
        """Yield what calling this does; without a call, somebody else calls it."""
        inference = self._inference
        if isinstance(callee, External) and self._is_named_elsewhere(callee.name):
            yield Step(node, f"calls {callee.last}(), which blocks")
        if isinstance(callee, Method) and callee.function is None:
            yield from self._call_of_smtplib(callee, node, call)
        if isinstance(callee, Kind):
            yield from self._construction(callee, node, call)
        for function, _ in inference.calls.functions_of(callee):
            if not function.is_async:
                yield from self._call_of_function(function, callee, node)

    def _call_of_function(self, function: Function, callee: Value, node: ast.expr) -> Iterator[Step]:
        kind = _kind_of(callee)
        session = "" if kind is None else self._inference.classes.session_of(kind)
        receiver = getattr(callee, "receiver", callee)
        for each in (function, *self._inference.decorators.made_of(function).wrappers):
            step = self._first_of(each)
            if step is not None:
                yield Step(node, step.does, each, session, receiver, name=function.name)
                return
        if self._is_named(callee, function):
            yield Step(node, f"calls {function.qualname}(), which blocks", None, session, callee, name=function.name)

    def _call_of_smtplib(self, method: Method, node: ast.expr, call: ast.Call | None) -> Iterator[Step]:
        kind = _kind_of(method)
        if kind is None:
            return
        session = self._inference.classes.session_of(kind)
        if not session:
            named = next((each for each in self._inference.classes.lineage(kind) if each.is_named), kind)
            if self._is_named_elsewhere(f"{named.qualname}.{method.name}"):
                yield Step(node, f"calls {kind.name}.{method.name}(), which blocks", None, "", method.receiver)
        elif method.name == "__init__":
            offset = 1 if isinstance(method.receiver, Kind) else 0  # SMTP.__init__(self, host)
            if call is not None and _gives_host(call, offset):
                yield Step(node, DOES["__init__"], None, session, method.receiver, name="__init__")
        elif method.name in DOES:
            yield Step(node, DOES[method.name], None, session, method.receiver, name=method.name)

    def _construction(self, kind: Kind, node: ast.expr, call: ast.Call | None) -> Iterator[Step]:
        classes = self._inference.classes
        session = classes.session_of(kind)
        own = classes.functions(kind, "__init__")
        if session and not own and call is not None and _gives_host(call, 0):
            yield Step(node, DOES["__init__"], None, session, kind, name="__init__")
        if kind.scope is None or own:
            return
        for _, value in classes.fields(kind):
            for factory in _factories(value):
                for callee in self._inference.values_of(factory, kind.scope):
                    for step in self._call_of(callee, node, None):
                        yield replace(step, session="", receiver=kind, name=kind.name)

    def _is_named(self, callee: Value, function: Function) -> bool:
        named = self._inference.named
        if f"{function.module.name}.{function.qualname}" in named:
            return True
        kind = function.kind
        is_method = isinstance(callee, (Method, Function)) and kind is not None and not function.name.startswith("_")
        return is_method and kind is not None and f"{function.module.name}.{kind.qualname}" in named

    def _is_named_elsewhere(self, name: str) -> bool:
        """Whether something that is not the project's was named, or what it is a public attribute of."""
        holder, _, last = name.rpartition(".")
        return name in self._inference.named or (holder in self._inference.named and not last.startswith("_"))

    # What is given to something that calls it.

    def callbacks(self, nodes: Iterable[ast.AST], scope: Scope) -> Iterator[Step]:
        """Yield what is given to an event loop to be called there, among nodes of any function."""
        for node in nodes:
            if isinstance(node, ast.Call):
                for argument in self._handing.on_the_loop(node, scope):
                    yield from self._if_called(argument, scope)

    def _given(self, call: ast.Call, scope: Scope) -> Iterator[Step]:
        for argument, function in self._handing.given(call, scope):
            for step in self._if_called(argument, scope, call):
                if function is not None and function.is_async:
                    yield step  # in a coroutine, which is awaited
                else:
                    yield replace(step, node=call, is_given=False, session="", receiver=None)
        for argument in self._handing.at_the_end(call, scope):
            yield from self._if_called(argument, scope)

    def _if_called(self, argument: ast.expr, scope: Scope, given_by: ast.Call | None = None) -> Iterator[Step]:
        """Yield what calling an argument does; a class is made with the other arguments."""
        call = None
        if given_by is not None:
            others = [each for each in given_by.args if each is not argument]
            call = ast.Call(argument, others, given_by.keywords)
        steps = (
            step
            for callee in self._inference.values_of(argument, scope)
            if isinstance(callee, (External, Function, Kind, Method))
            for step in self._call_of(callee, argument, call)
        )
        for step in _chosen(steps):
            yield replace(step, is_given=True)

    # Properties and context managers.

    def _readings(self, node: ast.Attribute, scope: Scope) -> Iterator[Step]:
        for value in self._inference.values_of(node.value, scope):
            for function in self._inference.classes.properties(value, node.attr):
                step = self._first_of(function)
                if step is not None:
                    yield Step(node, step.does, function, "", value, name=node.attr)

    def _enterings(self, entered: ast.expr, scope: Scope) -> Iterator[Step]:
        yield from self._closings(entered, scope)
        for value in self._inference.values_of(entered, scope):
            if not isinstance(value, Instance):
                continue
            session = self._inference.classes.session_of(value.kind)
            for name in ("__enter__", "__exit__"):
                for method in self._inference.attribute(value, name):
                    for step in self._call_of(method, entered, None) if isinstance(method, Method) else ():
                        yield Step(entered, step.does, step.called, session, value, is_entered=True, name=name)

    def _closings(self, entered: ast.expr, scope: Scope) -> Iterator[Step]:
        """Yield what ``contextlib.closing`` does when it is left: it calls the method ``close``."""
        if not isinstance(entered, ast.Call) or not entered.args:
            return
        if External("contextlib.closing") not in self._inference.values_of(entered.func, scope):
            return
        for value in self._inference.values_of(entered.args[0], scope):
            for method in self._inference.attribute(value, "close"):
                for step in self._call_of(method, entered, None) if isinstance(method, Method) else ():
                    yield Step(entered, step.does, step.called, "", value, is_entered=True, name="close")

    def _entered_by_stack(self, call: ast.Call, scope: Scope) -> Iterator[Step]:
        if last_name(call.func) != "enter_context" or not call.args:
            return
        entered = call.args[0]
        if isinstance(entered, ast.Call) and next(self._calls(entered, scope), None) is not None:
            return
        for step in _chosen(self._enterings(entered, scope)):
            yield replace(step, is_entered=False, is_given=True)


def _chosen(steps: Iterable[Step]) -> Iterator[Step]:
    # Of several functions that may be called one is told, the same in each run.
    first = min(steps, key=_order_of, default=None)
    if first is not None:
        yield first


def _order_of(step: Step) -> tuple[bool, str, int, str]:
    called = step.called
    return (False, "", 0, step.does) if called is None else (True, called.module.name, called.node.lineno, step.does)


def _is_awaited(callee: Value) -> bool:
    """Whether calling it gives what is awaited, and does nothing yet."""
    function = callee.function if isinstance(callee, Method) else callee
    return isinstance(callee, Bridged) or (isinstance(function, Function) and function.is_async)


def _factories(value: ast.expr | None) -> Iterator[ast.expr]:
    """Yield what makes the default of a dataclass's field."""
    if isinstance(value, ast.Call):
        yield from (each.value for each in value.keywords if each.arg in ("default_factory", "factory"))


def _gives_host(call: ast.Call, offset: int) -> bool:
    """Whether a session is made that connects at once (`smtplib.SMTP`: the host is given)."""
    arguments = call.args[offset:]
    hosts = [*arguments[:1], *(each.value for each in call.keywords if each.arg in ("host", None))]
    return any(not (isinstance(each, ast.Constant) and each.value in ("", None)) for each in hosts)


def _kind_of(callee: Value) -> Kind | None:
    if isinstance(callee, Method):
        receiver = callee.receiver
        return receiver.kind if isinstance(receiver, Instance) else receiver
    return callee if isinstance(callee, Kind) else None
