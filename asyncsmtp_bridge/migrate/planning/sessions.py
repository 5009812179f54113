"""Sessions: the objects that a coroutine makes for itself, and whether all that it does with them can be awaited.

Owns what is safe: an object is taken over when every statement that makes it and every use of it can be, and left with
a reason otherwise. It is a session of smtplib's, which becomes a mirror, or an object of a class that blocks when it is
made or entered, which becomes a proxy. It does not write anything.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from ..analysis.inference import Inference
from ..analysis.program import Bound, Function, Kind
from ..analysis.values import Instance, Method
from ..lines import Lines
from ..scanning.mends import Parents
from .makers import Makers
from .members import Members, returns_itself
from .places import Unsafe, check_place

NAMED_ON_THE_WAY = "the object gets its name within an expression: give it one first"
TYPE_COMMENT = re.compile(r"#\s*type:(?!\s*ignore)")


@dataclass(eq=False)
class Making:
    """A call that makes an object.

    Args:
        call: The call.
        kinds: The classes that it may be of: several, if all are sessions.
        mirror: The class of smtplib's that is called, by whatever name; empty: another class, or it may be another one.
        variable: The name that the object is bound to; empty: it is used where it is made.
    """

    call: ast.Call
    kinds: tuple[Kind, ...]
    mirror: str
    variable: str = ""


@dataclass
class Uses:
    """What is to be done for the uses of an object.

    Args:
        awaited: Calls of its methods, and properties that block.
        entered: What ``with`` statements enter.
        walked: What ``for`` statements walk through.
        annotations: The names of its class in annotations of the variable.
        properties: Properties that block.
    """

    awaited: list[ast.expr] = field(default_factory=list)
    entered: list[ast.expr] = field(default_factory=list)
    walked: list[ast.expr] = field(default_factory=list)
    annotations: list[ast.expr] = field(default_factory=list)
    properties: set[str] = field(default_factory=set)


class Sessions:
    """The objects that one coroutine function makes for itself.

    Args:
        function: The function.
        inference: What its expressions come to.
        parents: What each node of the module stands in.
        lines: The text of the module.
        steps: The expressions in it that block.
    """

    def __init__(
        self, function: Function, inference: Inference, parents: Parents, lines: Lines, steps: Collection[ast.AST]
    ) -> None:
        self._function = function
        self._inference = inference
        self._parents = parents
        self._lines = lines
        self._steps = steps
        self._makers = Makers(inference)
        self._members = Members(inference, parents, steps)

    def is_session(self, kind: Kind) -> bool:
        """Whether it is a class of smtplib's, or derived from one."""
        return bool(self.session_of(kind))

    def session_of(self, kind: Kind) -> str:
        """Return which class of smtplib's it is, or is derived from; empty: none."""
        return self._inference.classes.session_of(kind)

    def takes_context(self, kind: Kind) -> bool:
        """Whether a class secures connections in being made, with a context that it may be given."""
        inits = self._inference.attribute(Instance(kind, is_exact=True), "__init__")
        own = [each.function.node.args for each in inits if isinstance(each, Method) and each.function is not None]
        hands_on = all(each.kwarg or "context" in [one.arg for one in (*each.args, *each.kwonlyargs)] for each in own)
        return self.session_of(kind) == "SMTP_SSL" and hands_on

    def check(self, node: ast.AST, what: str = "it") -> None:
        """Raise where nothing can be awaited.

        Raises:
            Unsafe: It cannot.
        """
        check_place(node, self._function, self._parents, what)

    # How an object is made.

    def made_by(self, call: ast.Call) -> tuple[Kind, ...]:
        """Return the classes that a call may make an object of; empty: it makes none."""
        values = self._inference.values_of(call.func, self._function.scope)
        return tuple(sorted((each for each in values if isinstance(each, Kind)), key=lambda each: each.qualname))

    def making(self, call: ast.Call) -> Making:
        """Return how a call's object is made, and bound.

        Raises:
            Unsafe: It may make something else, or its object goes where it is not seen any more.
        """
        kinds = self.made_by(call)
        names = self._makers.classes(call.func, self._function.scope)
        others = len(self._inference.values_of(call.func, self._function.scope)) - len(kinds)
        if names is None or others or (len(kinds) > 1 and not all(map(self.is_session, kinds))):
            raise Unsafe(f"{ast.unparse(call.func)} may be another class, or a function")
        self.check(call)
        session = self.session_of(next(iter(kinds)))
        mirror = session if names == {f"smtplib.{session}"} else ""
        return Making(call, kinds, mirror, self._variable(call))

    def _variable(self, call: ast.Call) -> str:
        node: ast.AST = call
        parent = self._parents[node]
        while isinstance(parent, ast.IfExp) and parent.test is not node:
            node, parent = parent, self._parents[parent]
        match parent:
            case ast.NamedExpr(target=ast.Name(id=name)) if self._is_asked(parent):
                return name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                return name
            case ast.withitem(optional_vars=None) | ast.Expr():
                return ""
            case ast.withitem(optional_vars=ast.Name(id=name)) if node is call:
                return name
            case ast.Attribute():
                return ""
        raise Unsafe(self.where_it_goes(node))

    def names_of(self, call: ast.Call) -> set[str]:
        """Return all names that the function gives to what a call makes."""
        nodes: list[ast.AST] = [call]
        while isinstance(self._parents[nodes[-1]], (ast.IfExp, ast.NamedExpr, ast.BoolOp, ast.Tuple, ast.List)):
            nodes.append(self._parents[nodes[-1]])
        bindings = self._function.scope.bindings
        return {name for name, bound in bindings.items() if any(each.what is node for each in bound for node in nodes)}

    def where_it_goes(self, node: ast.AST) -> str:
        """Say why an object that is used like this is not taken over."""
        parent = self._parents[node]
        match parent:
            case ast.Call(func=func):
                if func is node:
                    return "the object itself is called"
                return f"the object is passed to {ast.unparse(func)}()"
            case ast.keyword() | ast.Starred():
                call = self._parents[parent]
                return (
                    f"the object is passed to {ast.unparse(call.func) if isinstance(call, ast.Call) else 'a class'}()"
                )
            case ast.Return() | ast.Yield() | ast.YieldFrom():
                return "the object leaves the function"
            case ast.Assign(targets=[ast.Attribute() as target]) | ast.AnnAssign(target=ast.Attribute() as target):
                return f"the object is stored in {ast.unparse(target)}"
            case ast.Assign(targets=[ast.Subscript() as target]):
                return f"the object is stored in {ast.unparse(target)}"
            case ast.NamedExpr():
                return NAMED_ON_THE_WAY
            case ast.Assign() | ast.AnnAssign() | ast.withitem():
                return "the object has several names"
            case ast.Dict() | ast.List() | ast.Set() | ast.Tuple() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                return "the object is stored in a collection"
            case ast.Attribute():
                return f"its {parent.attr} is not called"
            case ast.Await():
                return "it is awaited already"
            case ast.BoolOp() | ast.IfExp():
                return "it is one of several objects that the expression may come to"
            case ast.Compare():
                return "the object is compared with something"
            case ast.FormattedValue():
                return "the object is shown in an f-string"
            case ast.For() | ast.comprehension() | ast.Subscript():
                return "the object itself is walked through, or looked into"
            case ast.Lambda():
                return "the object is made in a lambda"
        return "what becomes of the object is not seen here"

    # What is done with it.

    def uses(self, variable: str, makings: Sequence[Making]) -> Uses:
        """Return what is to be done for all uses of a variable.

        Raises:
            Unsafe: One of them, or of the statements that bind it, cannot be taken over.
        """
        found = Uses()
        kinds = [kind for making in makings for kind in making.kinds]
        self._check_bindings(variable, makings, found)
        for node in self._occurrences(variable):
            self._use(node, kinds, found)
        return found

    def _check_bindings(self, variable: str, makings: Sequence[Making], found: Uses) -> None:
        if variable not in self._function.scope.bindings:
            raise Unsafe(f"{variable} is not a name of the function's own")
        self._check_other_bindings(variable)
        kinds = {kind for making in makings for kind in making.kinds}
        for bound in self._function.scope.bindings[variable]:
            self._check_comment(variable, bound)
            if bound.how == "annotation":
                found.annotations += self._annotated(bound.what, kinds)
            elif bound.how not in ("value", "entered") or not self._only_makes(bound.what, makings):
                raise Unsafe(f"{variable} may be something else, too")

    def _check_other_bindings(self, variable: str) -> None:
        """Raise if anything but a plain statement binds a variable: a pattern, an except clause, a loop."""
        for node in ast.walk(self._function.node):
            if node is self._function.node:
                continue
            is_target = isinstance(node, ast.Name) and node.id == variable and isinstance(node.ctx, ast.Store)
            if is_target and isinstance(self._parents[node], (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.withitem)):
                continue
            if is_target or variable in {getattr(node, name, "") for name in ("name", "asname", "rest")}:
                raise Unsafe(f"{variable} may be something else, too")

    def _check_comment(self, variable: str, bound: Bound) -> None:
        last = getattr(bound.what, "end_lineno", None)
        if last is not None and TYPE_COMMENT.search(self._lines.line(last)):
            raise Unsafe(f"the comment with the type of {variable} would have to be another one")

    def _annotated(self, annotation: ast.expr, kinds: set[Kind]) -> Iterator[ast.expr]:
        """Yield what names the class in an annotation: as it is, or with None besides."""
        named = self._inference.values_of(annotation, self._function.scope)
        if isinstance(annotation, (ast.Name, ast.Attribute)) and named == kinds:
            yield annotation
        elif isinstance(annotation, ast.BinOp) and _is_none(annotation.right):
            yield from self._annotated(annotation.left, kinds)
        elif isinstance(annotation, ast.BinOp) and _is_none(annotation.left):
            yield from self._annotated(annotation.right, kinds)
        elif isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("Optional"):
            yield from self._annotated(annotation.slice, kinds)
        else:
            raise Unsafe(f"the annotation {ast.unparse(annotation)} would have to be another one")

    def _only_makes(self, value: ast.expr, makings: Sequence[Making]) -> bool:
        if isinstance(value, ast.IfExp):
            return self._only_makes(value.body, makings) and self._only_makes(value.orelse, makings)
        return _is_none(value) or any(value is making.call for making in makings)

    def _occurrences(self, variable: str) -> Iterator[ast.Name]:
        for node in ast.walk(self._function.node):
            if isinstance(node, ast.Name) and node.id == variable and isinstance(node.ctx, ast.Load):
                yield node
            if isinstance(node, (ast.Global, ast.Nonlocal)) and variable in node.names:
                raise Unsafe(f"{variable} is not a name of the function's own")

    def _use(self, node: ast.Name, kinds: Sequence[Kind], found: Uses) -> None:
        parent = self._parents[node]
        if isinstance(parent, ast.withitem) and parent.optional_vars is None:
            self.check(node, node.id)
            found.entered.append(node)
        elif isinstance(parent, ast.Attribute):
            self.member(parent, kinds, found)
        elif not self._is_asked(node):
            raise Unsafe(self.where_it_goes(node))

    def _is_asked(self, node: ast.AST) -> bool:
        """Whether it is only asked whether there is an object at all."""
        parent = self._parents[node]
        match parent:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test):
                return test is node
            case ast.UnaryOp(op=ast.Not()) | ast.Expr():
                return True
            case ast.BoolOp(op=ast.And(), values=parts) if node is not parts[-1]:
                return True
            case ast.BoolOp():
                return self._is_asked(parent)
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot()], comparators=[right]):
                return _is_none(left) or _is_none(right)
            case ast.comprehension(ifs=conditions):
                return node in conditions
        return False

    def member(self, attribute: ast.Attribute, kinds: Sequence[Kind], found: Uses) -> None:
        """Say what is to be done where an attribute of an object is used.

        Raises:
            Unsafe: Nothing can be.
        """
        if isinstance(attribute.ctx, ast.Del):
            raise Unsafe(f"its {attribute.attr} is deleted")
        ways = {self._members.way(attribute, kind) for kind in kinds}
        if len(ways) > 1:
            raise Unsafe(f"{attribute.attr} is not the same in all the classes that it may be of")
        way, call = ways.pop(), self._parents.get(attribute)
        node = attribute if way == "property" else call
        if way == "read":
            return
        if not isinstance(node, ast.expr) or (isinstance(node, ast.Call) and node.func is not attribute):
            raise Unsafe(f"its {attribute.attr} is not called")
        self.check(node, ast.unparse(attribute.value) if isinstance(attribute.value, ast.Name) else "it")
        if isinstance(self._parents.get(node), ast.Await):
            raise Unsafe("it is awaited already")
        {"await": found.awaited, "property": found.awaited, "enter": found.entered, "walk": found.walked}[way].append(
            node
        )
        if way == "property":
            found.properties.add(attribute.attr)

    def check_entered(self, making: Making) -> None:
        """Raise if what ``with`` gives may be something else than the object that it enters.

        Raises:
            Unsafe: It may.
        """
        for kind in making.kinds:
            for method in self._inference.attribute(Instance(kind, is_exact=True), "__enter__"):
                function = method.function if isinstance(method, Method) else None
                if function is not None and not returns_itself(function):
                    raise Unsafe(f"what {kind.name} gives when it is entered may be something else")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
