"""Members: what becomes of the methods and attributes of an object that is taken over.

Owns the way in which each is used afterwards, on a mirror or a proxy, and which have none. It does not know how the
object is made, or where it goes.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any

from ... import client
from ...face import AsyncBridge
from ..analysis.inference import Inference
from ..analysis.program import Bound, Function, Kind, Scope
from ..analysis.values import Instance, Manager, Method
from ..scanning.mends import Parents
from .places import Unsafe

MIRRORS: dict[str, type[AsyncBridge[Any]]] = {
    "SMTP": client.AsyncSMTP,
    "SMTP_SSL": client.AsyncSMTP_SSL,
    "LMTP": client.AsyncLMTP,
}
"""The mirror of each class of smtplib's."""


class Members:
    """The members of objects in one function.

    Args:
        inference: What its expressions come to.
        parents: What each node of the module stands in.
        steps: The expressions in it that block.
    """

    def __init__(self, inference: Inference, parents: Parents, steps: Collection[ast.AST]) -> None:
        self._inference = inference
        self._parents = parents
        self._steps = steps

    def way(self, attribute: ast.Attribute, kind: Kind) -> str:
        """Return how a member is used: ``await``, ``property``, ``enter``, ``walk``, or ``read`` as before.

        Args:
            attribute: Where it is used.
            kind: The class of the object.

        Raises:
            Unsafe: It cannot be used any more.
        """
        is_session = bool(self._inference.classes.session_of(kind))
        way = self._on_mirror(attribute, kind) if is_session else self._on_proxy(attribute, kind)
        call = self._parents.get(attribute)
        is_called = isinstance(call, ast.Call) and call.func is attribute
        if way == "read" and (attribute in self._steps or (is_called and call in self._steps)):
            raise Unsafe(f"its {attribute.attr} blocks, and would not be awaited")
        return way

    def _on_mirror(self, attribute: ast.Attribute, kind: Kind) -> str:
        """Return what becomes of a session's attribute: ``await`` or ``read``."""
        name = attribute.attr
        mirror = MIRRORS[self._inference.classes.session_of(kind)]
        declared = inspect.getattr_static(mirror, name, None)
        if declared is None or name.startswith("_"):
            raise Unsafe(f"{name} is not one of smtplib's: a subclass of {mirror.__name__} would have to declare it")
        call = self._parents.get(attribute)
        if isinstance(call, ast.Call) and call.func is attribute and inspect.isfunction(declared):
            self._check_arguments(call, declared)
        return "await" if inspect.iscoroutinefunction(declared) else "read"

    def _check_arguments(self, call: ast.Call, declared: Any) -> None:
        parameters = inspect.signature(declared).parameters
        if any(each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in parameters.values()):
            return
        own = {each.arg for each in call.keywords if each.arg is not None} - parameters.keys()
        if own or len(call.args) >= len(parameters):
            raise Unsafe(f"its {ast.unparse(call.func)}() takes other arguments than smtplib's")

    def _on_proxy(self, attribute: ast.Attribute, kind: Kind) -> str:
        """Return what becomes of an object's attribute: ``await``, ``property``, ``enter``, ``walk`` or ``read``."""
        name = attribute.attr
        if name.startswith("_"):
            raise Unsafe(f"{name} is private, and a proxy has its own")
        made = Instance(kind, is_exact=True)
        functions = [each.function for each in self._inference.attribute(made, name) if isinstance(each, Method)]
        if not functions:
            if isinstance(attribute.ctx, ast.Store) and not self._is_known(kind, name):
                raise Unsafe(f"{name} is set, which its class does not know: a proxy would keep it to itself")
            return "property" if attribute in self._steps else "read"
        function = functions[0]
        if function is None or function.is_async:
            return "await" if function is None else "read"
        call = self._parents.get(attribute)
        around = None if call is None else self._parents.get(call)
        if any(isinstance(each, Manager) for each in self._inference.calls.returned_by(function)):
            if not isinstance(around, ast.withitem):
                raise Unsafe(f"{name}() makes a context manager that is not entered here")
            return "enter"
        if function.is_generator:
            if not isinstance(around, (ast.For, ast.comprehension)) or around.iter is not call:
                raise Unsafe(f"{name}() is a generator, and no for statement walks through it here")
            return "walk"
        if not isinstance(around, ast.Expr) and self._may_give_itself(function, kind):
            raise Unsafe(f"{name}() may give the object itself, which would be a proxy there")
        return "await"

    def _may_give_itself(self, function: Function, kind: Kind) -> bool:
        lineage = self._inference.classes.lineage(kind)
        given = self._inference.calls.returned_by(function)
        return returns_itself(function, any) or any(
            isinstance(each, Instance) and each.kind in lineage for each in given
        )

    def _is_known(self, kind: Kind, name: str) -> bool:
        return any(
            name in (each.scope.bindings if each.scope is not None else ())
            or any(map(_is_own, each.attributes.get(name, ())))
            for each in self._inference.classes.lineage(kind)
        )


def returns_itself(function: Function, quantifier: Callable[[Iterable[bool]], bool] = all) -> bool:
    """Whether a method returns the object that it is called on: wherever it returns, or anywhere."""
    first = function.parameters[0].arg if function.parameters else ""
    found = [isinstance(each, ast.Name) and each.id == first for each in function.returned]
    return bool(found) and quantifier(found)


def _is_own(bound: Bound) -> bool:
    """Whether a method assigns it, and not somebody who has the object."""
    scope: Scope | None = bound.scope
    while scope is not None and not (isinstance(scope.holder, Function) and scope.holder.kind is not None):
        scope = scope.outer
    return scope is not None
