"""The program: what the source of a project defines, and which names are bound to what.

Owns modules, classes and functions as they stand in the source, and the bindings of names in each of their scopes,
unevaluated. How they are read from it is `asyncsmtp_bridge.migrate.analysis.reader`'s, and what a binding comes to is
`asyncsmtp_bridge.migrate.analysis.inference`'s to say.

Bindings are not ordered: a name that is bound twice may be either, wherever it is used. Names bound under a condition
(an import in a ``try``) count like any other. What is asked of a name in between (`isinstance`) is ordered.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..sources import Source

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Bound:
    """What one statement binds a name to.

    Args:
        how: ``value`` of an expression; ``annotation``: an instance of what the expression names; ``entered``: what a
            context manager gives; ``element`` of what is iterated over; ``part`` of what another binding has;
            ``member`` of an instance of what an expression names; ``import`` of a dotted name; ``definition`` of a
            function or a class; ``parameter`` of a function; ``alias``: a type; ``comprehension``: it is bound in
            there, and not here; ``unknown``.
        what: The expression, the dotted name, the definition, or the function; of a part, the other binding and which
            one, None for what is left over; of a member, the expression and its name or number.
        scope: Where the expression is evaluated.
        name: The name of a parameter.
    """

    how: str
    what: Any
    scope: Scope
    name: str = ""


@dataclass(frozen=True)
class Fact:
    """What is known of an expression where it stands, from a test around it or before it.

    Args:
        is_one: Whether it is an instance of the classes, or is none.
        classes: The expression that names them.
        scope: Where that is evaluated.
    """

    is_one: bool
    classes: ast.expr
    scope: Scope


@dataclass(eq=False)
class Scope:
    """Names of a module, a class, a function or a comprehension.

    Args:
        module: The module that it is in.
        outer: The scope around it.
        holder: The function or class that it is of; None: the module, a comprehension, or a list of type parameters.
    """

    module: Module
    outer: Scope | None = None
    holder: Function | Kind | None = None
    bindings: dict[str, list[Bound]] = field(default_factory=lambda: defaultdict(list))
    items: dict[str, list[Bound]] = field(default_factory=lambda: defaultdict(list))
    """What is put into the collections that names stand for."""
    stars: list[str] = field(default_factory=list)
    """Modules of which all names are imported."""

    def bind(self, name: str, how: str, what: Any, scope: Scope | None = None) -> None:
        """Bind a name, besides whatever else it is bound to."""
        self.bindings[name].append(Bound(how, what, scope or self, name))

    def around(self) -> Scope | None:
        """Return the scope in which names are looked up that are not bound here: never that of a class."""
        scope = self.outer
        while scope is not None and isinstance(scope.holder, Kind):
            scope = scope.outer
        return scope


@dataclass(eq=False)
class Module:
    """A module of the project."""

    source: Source
    name: str
    is_package: bool
    scope: Scope = field(init=False)
    functions: list[Function] = field(default_factory=list)
    """All of them, methods, nested ones and lambdas included."""
    kinds: list[Kind] = field(default_factory=list)
    assigned: list[tuple[ast.Attribute, Bound]] = field(default_factory=list)
    """What is assigned to attributes of anything but ``self``: ``app.state.mailer``."""
    scopes: dict[ast.Name, Scope] = field(default_factory=dict)
    """Names in comprehensions, and where they are looked up."""
    facts: dict[ast.expr, tuple[Fact, ...]] = field(default_factory=dict)
    """What is known of names and attributes by where they stand."""
    awaited: set[ast.Call] = field(default_factory=set)
    """Calls of which the result is awaited at once."""


@dataclass(eq=False)
class Function:
    """A function, a method or a lambda."""

    node: AnyFunction
    module: Module
    outer: Scope
    qualname: str
    kind: Kind | None
    """The class that it is a method of."""
    scope: Scope = field(init=False)
    is_generator: bool = False
    returned: list[ast.expr] = field(default_factory=list)
    yielded: list[tuple[ast.expr, bool]] = field(default_factory=list)
    """What it yields, and whether it yields all that is in that."""

    @property
    def name(self) -> str:
        """Return the last part of its qualified name."""
        return self.qualname.rpartition(".")[2]

    @property
    def is_async(self) -> bool:
        """Whether it runs on an event loop."""
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def decorators(self) -> Sequence[ast.expr]:
        """Return the expressions of its decorators, the outermost first."""
        return () if isinstance(self.node, ast.Lambda) else self.node.decorator_list

    def is_decorated(self, *names: str) -> bool:
        """Whether it has one of these decorators, wherever it is imported from."""
        return any(
            (isinstance(each, ast.Name) and each.id in names)
            or (isinstance(each, ast.Attribute) and each.attr in names)
            for each in self.decorators
        )

    @property
    def is_static(self) -> bool:
        """Whether it is a static method."""
        return self.is_decorated("staticmethod")

    @property
    def is_class_method(self) -> bool:
        """Whether it is called on a class."""
        return self.is_decorated("classmethod") or self.name in ("__new__", "__init_subclass__")

    @property
    def is_property(self) -> bool:
        """Whether it is called by reading an attribute."""
        return self.is_decorated("property", "cached_property")

    @property
    def parameters(self) -> list[ast.arg]:
        """Return its parameters by position."""
        return [*self.node.args.posonlyargs, *self.node.args.args]

    @cached_property
    def own_nodes(self) -> list[ast.AST]:
        """What is run when it is called, as `own_nodes` tells it: not the bodies of functions that it defines."""
        return own_nodes([self.node.body] if isinstance(self.node, ast.Lambda) else self.node.body)


@dataclass(eq=False)
class Kind:
    """A class: of the project, of smtplib, or one that was named as a wrapper."""

    name: str
    qualname: str
    module: Module | None = None
    node: ast.ClassDef | None = None
    scope: Scope | None = None
    session: str = ""
    """The class of smtplib's, if it is one."""
    is_named: bool = False
    """Whether all of its methods block because somebody said so."""
    attributes: dict[str, list[Bound]] = field(default_factory=lambda: defaultdict(list))
    """What its methods assign to attributes of ``self``."""
    given: dict[str, list[Bound]] = field(default_factory=lambda: defaultdict(list))
    """What others assign to attributes of its objects."""
    items: dict[str, list[Bound]] = field(default_factory=lambda: defaultdict(list))
    """What its methods put into collections that are attributes of ``self``."""


def own_nodes(roots: Sequence[ast.AST]) -> list[ast.AST]:
    """Return the nodes at which something may happen, in their order: not those in the bodies of functions."""
    found: list[ast.AST] = []
    waiting = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        if isinstance(node, _EVENTFUL):
            found.append(node)
        if isinstance(node, FUNCTIONS):
            below: list[ast.AST] = [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]
            if not isinstance(node, ast.Lambda):
                below = [*node.decorator_list, *below]
        else:
            below = list(ast.iter_child_nodes(node))
        waiting.extend(reversed(below))
    return found


_EVENTFUL = (ast.Call, ast.Attribute, ast.With)
