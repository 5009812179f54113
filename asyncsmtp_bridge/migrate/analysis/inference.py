"""Inference: what an expression of the project may come to.

Owns names and expressions. It follows assignments, annotations, parameters (those without an annotation by the
arguments that they are given anywhere in the project), attributes, results and elements of collections. It knows
nothing of what blocks.

Statements have no order: a name may be whatever it is bound to anywhere in its scope. Chains of hundreds of names, each
bound to the one before it, are not followed to their end: that is as deep as Python's own stack.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from .annotations import Annotations
from .arguments import all_of, arguments_of, default_of
from .calls import Calls
from .classes import Classes
from .decorators import Decorators
from .memory import Memory
from .narrowing import path_of
from .program import Bound, Function, Kind, Module, Scope, own_nodes
from .reader import read_module
from .values import (
    NOTHING,
    Alias,
    External,
    Instance,
    Several,
    Value,
    Values,
    awaited,
    elements,
    part_of,
    several,
    union,
)

if TYPE_CHECKING:
    from ..sources import Source

SESSIONS = ("SMTP", "SMTP_SSL", "LMTP")
_OWN = {"PipelinedSMTP": "SMTP", "PipelinedSMTP_SSL": "SMTP_SSL", "PipelinedLMTP": "LMTP"}
_MIRRORS = {
    **{f"asyncsmtp_bridge.{home}Async{name}": name for home in ("", "client.") for name in SESSIONS},
    **{f"asyncsmtp_bridge.smtplib.{name}": name for name in SESSIONS},
}
_GENERIC = {"dict", "frozenset", "list", "set", "tuple", "type"}
_SAYS_NOTHING = (ast.Compare, ast.Constant, ast.FormattedValue, ast.JoinedStr, ast.UnaryOp)

_ROUNDS = 50
"""How often arguments are looked at anew, at most."""


class Inference:
    """What the expressions of a project come to.

    Args:
        sources: The modules.
        wrappers: Classes and functions outside of the project that block, as ``package.module.Name``.
    """

    def __init__(self, sources: Iterable[Source], wrappers: Sequence[str] = ()) -> None:
        self.modules = [read_module(source) for source in sources]
        # This package is known by its names, and not by what it does.
        others = [each for each in self.modules if each.name.partition(".")[0] != "asyncsmtp_bridge"]
        self._by_name = {module.name: module for module in others}
        self._by_ending: dict[str, list[Module]] = defaultdict(list)
        for module in others:
            parts = module.name.split(".")
            for start in range(1, len(parts)):
                self._by_ending[".".join(parts[start:])].append(module)
        self._functions = {each.node: each for module in self.modules for each in module.functions}
        self._sessions = {name: Kind(name, f"smtplib.{name}", session=name) for name in SESSIONS}
        self._named_kinds: dict[str, Kind] = {}
        self._stars: dict[Module, list[tuple[str, tuple[Module, ...]]]] = {}
        self._resolving: set[tuple[Module, str]] = set()
        self._assigned: dict[str, list[Bound]] = defaultdict(list)
        self._assigned_names = {target.attr for module in self.modules for target, _ in module.assigned}
        self._memory = Memory(self._evaluated)
        self._arguments: dict[tuple[Function, str], set[Value]] = defaultdict(set)
        self.named = frozenset(wrappers)
        self.calls = Calls(self)
        self.instances = Annotations(self).instances
        self.decorators = Decorators(self)
        self.classes = Classes(self)
        self.attribute = self.classes.attribute
        self.classes.know_heirs(kind for module in self.modules for kind in module.kinds)
        self.calls.know_registered([each for module in self.modules for each in module.functions])
        self._know_assigned()
        self.named |= {name for each in wrappers for name in self._own_names(each)}
        self._learn()

    def _own_names(self, wrapper: str) -> Iterator[str]:
        """Yield what something in the project is called that was named by a module that passes it on."""
        for value in self.resolved(wrapper):
            if isinstance(value, (Function, Kind)) and value.module is not None:
                yield f"{value.module.name}.{value.qualname}"

    def _know_assigned(self) -> None:
        """Take note of what is assigned to attributes, by what they are attributes of."""
        for module in self.modules:
            for target, bound in module.assigned:
                for key in self._keys(target, bound.scope):
                    self._assigned[key].append(bound)
                for value in self.values_of(target.value, bound.scope):
                    if isinstance(value, Instance):
                        value.kind.given[target.attr].append(bound)
                    elif isinstance(value, Module):
                        value.scope.bindings[target.attr].append(bound)
        self._memory = Memory(self._evaluated)

    def _keys(self, node: ast.Attribute, scope: Scope) -> Iterator[str]:
        """Yield what an attribute is known as in all of the project."""
        path = path_of(node)
        if not path:
            yield f"{scope.module.name}:{ast.unparse(node)}"
            return
        if path.endswith(f".state.{node.attr}"):
            yield ".".join(path.split(".")[-3:])  # Starlette's: of an application, or of that of a request
        root, _, rest = path.partition(".")
        where = self._home_of(root, scope)
        if where is None or where.outer is not None:
            yield f"{scope.module.name}:{path}"
            return
        for bound in where.bindings[root]:
            yield f"{bound.what}.{rest}" if bound.how == "import" else f"{where.module.name}.{path}"

    # What is given to parameters.

    def _learn(self) -> None:
        calls = [(node, scope) for scope, nodes in self._scopes() for node in nodes if isinstance(node, ast.Call)]
        read: dict[ast.Call, set[Hashable]] = {}
        waiting = calls
        for _ in range(_ROUNDS):
            changed: set[Hashable] = set()
            for call, scope in waiting:
                with self._memory.noting() as read[call]:
                    self._give(call, scope, changed)
            self._memory.forget(changed)
            # What was learned of one parameter may tell of another.
            waiting = [(call, scope) for call, scope in calls if not read[call].isdisjoint(changed)]
            if not waiting:
                break

    def _scopes(self) -> Iterator[tuple[Scope, list[ast.AST]]]:
        return chain.from_iterable(map(scopes_of, self.modules))

    def _give(self, call: ast.Call, scope: Scope, changed: set[Hashable]) -> None:
        for callee in self.values_of(call.func, scope):
            for function, skipped in self.calls.functions_of(callee):
                for name, expression in arguments_of(function, call, skipped):
                    # Functions are not: what is called with one is asked for each call (see `handing`).
                    values = self.values_of(expression, scope)
                    known = self._arguments[function, name]
                    new = {each for each in values if isinstance(each, (Instance, Kind, Several))} - known
                    if new:
                        known |= new
                        changed.add((function, name))

    # Expressions.

    def values_of(self, expression: ast.expr, scope: Scope) -> Values:
        """Return what an expression may come to; empty: that is not known."""
        if isinstance(expression, _SAYS_NOTHING):
            return NOTHING
        return self._memory.values_of(expression, scope)

    def _evaluated(self, node: ast.expr, scope: Scope) -> Values:
        match node:
            case ast.Name(id=name):
                return self._narrowed(self.looked_up(name, scope.module.scopes.get(node, scope)), node, scope)
            case ast.Attribute(value=value, attr=name):
                found = union(self.attribute(each, name) for each in self.values_of(value, scope))
                if name in self._assigned_names and all(isinstance(each, External) for each in found):
                    found = self._assigned_to(node, scope) or found
                return self._narrowed(found, node, scope)
            case ast.Call():
                return self.calls.result(node, scope)
            case ast.Await(value=value):
                return awaited(self.values_of(value, scope))
            case ast.IfExp(body=body, orelse=other):
                return self.values_of(body, scope) | self.values_of(other, scope)
            case ast.BoolOp(values=parts):
                return union(self.values_of(part, scope) for part in parts)
            case ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.values_of(value, scope)
            case ast.Lambda():
                return frozenset({self._functions[node]}) if node in self._functions else NOTHING
            case ast.Subscript():
                return self._subscript(node, scope)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                named = self.values_of(left, scope) | self.values_of(right, scope)
                return frozenset({Alias(node, scope)} if any(isinstance(each, (Alias, Kind)) for each in named) else ())
        return self._display(node, scope)

    def _display(self, node: ast.expr, scope: Scope) -> Values:
        match node:
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                given = [self.values_of(part, scope) for part in parts]
                if any(isinstance(each, ast.Starred) for each in parts):
                    return several(union(union(map(elements, each)) | each for each in given))
                return several(union(given), enumerate(given))
            case ast.Set(elts=parts):
                return several(union(self.values_of(part, scope) for part in parts))
            case ast.Dict(keys=keys, values=parts):
                given = [self.values_of(part, scope) for part in parts]
                merged = [
                    part_of(each, None) for key, of in zip(keys, given, strict=True) if key is None for each in of
                ]
                named = [(key.value, of) for key, of in zip(keys, given, strict=True) if isinstance(key, ast.Constant)]
                return several(union([*given, *merged]), named, is_mapping=True)
            case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part):
                return several(self.values_of(part, scope))
            case ast.DictComp(value=part):
                return several(self.values_of(part, scope), is_mapping=True)
        return NOTHING

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Values:
        values = self.values_of(node.value, scope)
        if any(isinstance(each, External) and each.name.startswith("typing.") for each in values):
            return frozenset({Alias(node, scope)})
        if isinstance(node.value, ast.Name) and node.value.id in _GENERIC and not self.is_bound(node.value.id, scope):
            return frozenset({Alias(node, scope)})
        if isinstance(node.slice, ast.Slice):
            return frozenset(Several(each.values) for each in values if isinstance(each, Several))
        which = _constant(node.slice)
        kinds = frozenset(each for each in values if isinstance(each, (Alias, Kind)))
        return kinds | union(part_of(each, which) | self.classes.part(each, which) for each in values)

    def _assigned_to(self, node: ast.Attribute, scope: Scope) -> Values:
        return union(self.bound(each) for key in self._keys(node, scope) for each in self._assigned.get(key, ()))

    def _narrowed(self, values: Values, node: ast.expr, scope: Scope) -> Values:
        for fact in scope.module.facts.get(node, ()):
            values = self.classes.narrowed(values, fact.classes, fact.scope, is_one=fact.is_one)
        return values

    # Names.

    def looked_up(self, name: str, scope: Scope) -> Values:
        """Return what a name may be."""
        where = self._home_of(name, scope)
        if where is not None:
            return self.with_items(union(map(self.bound, where.bindings[name])), where.items.get(name, ()))
        return self._from_stars(name, scope.module) if scope.module.scope.stars else NOTHING

    def is_bound(self, name: str, scope: Scope) -> bool:
        """Whether a name is bound anywhere in the module, and is not one of Python's own."""
        return self._home_of(name, scope) is not None

    @staticmethod
    def _home_of(name: str, scope: Scope) -> Scope | None:
        where: Scope | None = scope
        while where is not None:
            if name in where.bindings and any(each.how != "comprehension" for each in where.bindings[name]):
                return where
            where = where.around()
        return None

    def _from_stars(self, name: str, module: Module) -> Values:
        found: set[Value] = set()
        for origin, homes in self._stars_of(module):
            if not all(self._exports(home, name) for home in homes):
                continue
            if not homes or homes[-1].name != origin:
                found |= self.resolved(f"{origin}.{name}")
            elif name in homes[-1].scope.bindings:
                found |= self.looked_up(name, homes[-1].scope)
            elif homes[-1].is_package and f"{origin}.{name}" in self._by_name:
                found.add(self._by_name[f"{origin}.{name}"])
        return frozenset(found)

    def _stars_of(self, module: Module) -> list[tuple[str, tuple[Module, ...]]]:
        """Return all that a module has names of by stars, each with the modules by which it comes."""
        if module not in self._stars:
            found = self._stars[module] = []
            waiting: list[tuple[Module, tuple[Module, ...]]] = [(module, ())]
            seen = {module}
            while waiting:
                importer, homes = waiting.pop(0)
                for origin in importer.scope.stars:
                    home = next((each for each in self.resolved(origin, importer) if isinstance(each, Module)), None)
                    if home is None:
                        found.append((origin, homes))
                    elif home not in seen:
                        seen.add(home)
                        found.append((home.name, (*homes, home)))
                        waiting.append((home, (*homes, home)))
        return self._stars[module]

    @staticmethod
    def _exports(module: Module, name: str) -> bool:
        listed = [bound.what for bound in module.scope.bindings.get("__all__", ()) if bound.how == "value"]
        if not listed:
            return not name.startswith("_")
        return any(
            isinstance(each, ast.Constant) and each.value == name for names in listed for each in ast.walk(names)
        )

    def with_items(self, values: Values, items: Iterable[Bound]) -> Values:
        """Return the same values, and what is put into them where they may be a collection."""
        if not items or any(isinstance(each, (Instance, Kind, Module)) for each in values):
            return values
        return values | union(map(self.bound, items))

    def bound(self, bound: Bound) -> Values:
        """Return what a statement may bind a name to."""
        match bound.how:
            case "value":
                return self.values_of(bound.what, bound.scope)
            case "annotation":
                return self.instances(bound.what, bound.scope)
            case "entered":
                return self.calls.entered(self.values_of(bound.what, bound.scope))
            case "awaited entered":
                return self.calls.entered(self.values_of(bound.what, bound.scope), is_async=True)
            case "element":
                return union(map(elements, self.values_of(bound.what, bound.scope)))
            case "item":
                return several(self.bound(bound.what))
            case "part":
                return self._part(*bound.what)
            case "member":
                classes, which = bound.what
                return self._member(classes, which, bound.scope)
            case "import":
                return self.resolved(bound.what, bound.scope.module)
            case "alias":
                return frozenset({Alias(bound.what, bound.scope)})
            case "definition":
                return self._defined(bound.what)
            case "parameter":
                return self._parameter(bound.what, bound.name)
        return NOTHING

    def _part(self, whole: Bound, which: object) -> Values:
        values = self.bound(whole)
        if which is None:
            return several(union(map(elements, values)))
        return union(part_of(each, which) | self.classes.part(each, which) for each in values)

    def _member(self, classes: ast.expr, which: str | int, scope: Scope) -> Values:
        found: set[Value] = set()
        for each in self.instances(classes, scope):
            names = [name for name, _ in self.classes.fields(each.kind)] if isinstance(each, Instance) else []
            name = which if isinstance(which, str) else next(iter(names[which:]), "")
            found |= self.attribute(each, name)
        return frozenset(found)

    def _defined(self, definition: Function | Kind) -> Values:
        if isinstance(definition, Kind):
            return frozenset({definition})
        made = self.decorators.made_of(definition)
        if made.is_awaited:
            return NOTHING
        return frozenset({definition} if made.runs_it else made.wrappers)

    # Modules.

    def resolved(self, dotted: str, near: Module | None = None) -> Values:
        """Return what a name stands for that was imported from a module.

        Args:
            dotted: The name.
            near: The module that imports it: of several that it may mean, the nearest one is meant.
        """
        origin, _, last = dotted.rpartition(".")
        if origin == "smtplib" and last in self._sessions:
            return frozenset({self._sessions[last]})
        if last in _OWN and dotted.startswith("asyncsmtp_bridge."):
            return frozenset({self._sessions[_OWN[last]]})
        home = self._module(origin, near) if origin else None
        if home is not None and (found := self._of_module(home, last)):
            return found
        module = self._module(dotted, near)
        if module is not None:
            return frozenset({module})
        if home is None and origin:
            holders = [each for each in self.resolved(origin, near) if isinstance(each, (Kind, Module))]
            if holders:
                return union(self.attribute(each, last) for each in holders)
        elif home is not None and last in home.scope.bindings:
            return NOTHING
        if last[:1].isupper() and any(each == dotted or each.startswith(f"{dotted}.") for each in self.named):
            kind = self._named_kinds.setdefault(dotted, Kind(last, dotted, is_named=True))
            return frozenset({kind})
        return frozenset({External(dotted)})

    def _of_module(self, module: Module, name: str) -> Values:
        if (module, name) in self._resolving:  # modules that import from each other
            return NOTHING
        self._resolving.add((module, name))
        try:
            return self.looked_up(name, module.scope)
        finally:
            self._resolving.discard((module, name))

    def _module(self, dotted: str, near: Module | None) -> Module | None:
        if dotted in self._by_name:
            return self._by_name[dotted]
        candidates = self._by_ending.get(dotted, [])
        if not candidates or dotted.partition(".")[0] in sys.stdlib_module_names:
            return None
        if len(candidates) == 1 or near is None:
            return candidates[0] if len(candidates) == 1 else None
        package = near.name.split(".")
        above = [".".join([*package[:end], dotted]) for end in range(len(package) - 1, 0, -1)]
        return next((self._by_name[each] for each in above if each in self._by_name), None)

    def mirrored(self, dotted: str) -> Kind | None:
        """Return the class of smtplib's of which something is this package's mirror."""
        return self._sessions[_MIRRORS[dotted]] if dotted in _MIRRORS else None

    # Parameters.

    def _parameter(self, function: Function, name: str) -> Values:
        parameters = function.parameters
        is_first = bool(parameters) and parameters[0].arg == name
        if function.kind is not None and is_first and not function.is_static:
            return frozenset({function.kind if function.is_class_method else Instance(function.kind)})
        arguments = function.node.args
        annotation = next((each.annotation for each in all_of(arguments) if each.arg == name), None)
        if annotation is not None and (found := self.instances(annotation, function.outer)):
            if arguments.vararg is not None and arguments.vararg.arg == name:
                return several(found)
            return several(found, is_mapping=True) if _is(arguments.kwarg, name) else found
        self._memory.note((function, name))
        given = frozenset(self._arguments.get((function, name), ()))
        if _is(arguments.vararg, name):
            return several(given)
        default = default_of(arguments, name)
        return given | (self.values_of(default, function.outer) if default is not None else NOTHING)


def scopes_of(module: Module) -> Iterator[tuple[Scope, list[ast.AST]]]:
    """Yield each scope of a module with the nodes that are evaluated in it, those of classes first."""
    for kind in module.kinds:
        if kind.node is not None and kind.scope is not None:
            yield kind.scope, own_nodes(kind.node.body)
    for function in module.functions:
        yield function.scope, function.own_nodes
    yield module.scope, own_nodes(module.source.tree.body)


def _is(argument: ast.arg | None, name: str) -> bool:
    return argument is not None and argument.arg == name


def _constant(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
    return None
