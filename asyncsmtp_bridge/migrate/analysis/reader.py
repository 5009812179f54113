"""The reader: a module's source, read into what it defines and binds.

Owns which statements bind which names, and where. It evaluates nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .narrowing import Told, classes_of, path_of, takes_all, told_after, told_by
from .program import AnyFunction, Bound, Fact, Function, Kind, Module, Scope

if TYPE_CHECKING:
    from ..sources import Source

_PUTS = {"add": 0, "append": 0, "appendleft": 0, "insert": 1, "put": 0, "put_nowait": 0, "setdefault": 1}
"""Methods that put something into a collection: which argument that is."""


def read_module(source: Source) -> Module:
    """Return a module with all that its source defines."""
    module = Module(source, source.module, source.path.name == "__init__.py")
    module.scope = Scope(module)
    _Reader(module).read(source.tree)
    return module


class _Reader(ast.NodeVisitor):
    """Reads one module; visits each statement once."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._scope = module.scope
        self._names: list[str] = []
        self._elsewhere: dict[str, Scope] = {}  # names that the function has declared global
        self._nonlocal: list[tuple[Scope, str]] = []
        self._put: list[tuple[str, Bound]] = []
        self._known: list[dict[str, list[Fact]]] = []

    def read(self, tree: ast.Module) -> None:
        self._block(tree.body)
        for scope, name in reversed(self._nonlocal):
            self._move(scope, name)
        for name, bound in self._put:
            holder = _holder_of(name, bound.scope)
            if holder is not None:
                holder.items[name].append(bound)

    def _move(self, scope: Scope, name: str) -> None:
        """Move what is bound to a nonlocal name to the function that has it."""
        bindings = scope.bindings.pop(name, [])
        outer = scope.around()
        home = _holder_of(name, outer) if outer is not None else None
        if home is not None and home.outer is not None:
            home.bindings[name] += bindings

    # Definitions.

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for each in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(each)
        qualname = ".".join([*self._names, node.name])
        kind = Kind(node.name, qualname, self._module, node)
        self._module.kinds.append(kind)
        self._target(node.name).bind(node.name, "definition", kind)
        kind.scope = Scope(self._module, self._scope, kind)
        self._bind_type_parameters(node, kind.scope)
        self._within(kind.scope, [*self._names, node.name], node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for each in node.decorator_list:
            self.visit(each)
        function = self._function(node, node.name)
        self._target(node.name).bind(node.name, "definition", function)
        self._within(function.scope, [*self._names, node.name, "<locals>"], node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        function = self._function(node, "<lambda>")
        function.returned.append(node.body)
        known = self._known
        self._within(function.scope, [*self._names, "<lambda>", "<locals>"], [node.body], known)

    def _function(self, node: AnyFunction, name: str) -> Function:
        holder = self._scope.holder
        kind = holder if isinstance(holder, Kind) and not isinstance(node, ast.Lambda) else None
        outer = self._scope
        if getattr(node, "type_params", None):
            outer = Scope(self._module, outer)
            self._bind_type_parameters(node, outer)
        function = Function(node, self._module, outer, ".".join([*self._names, name]), kind)
        function.scope = Scope(self._module, outer, function)
        self._module.functions.append(function)
        arguments = node.args
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)
        for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if each is not None:
                function.scope.bind(each.arg, "parameter", function)
        return function

    @staticmethod
    def _bind_type_parameters(node: ast.AST, scope: Scope) -> None:
        for each in getattr(node, "type_params", ()):
            bound = getattr(each, "bound", None)
            scope.bind(each.name, "unknown" if bound is None else "alias", bound)

    def _within(
        self,
        scope: Scope,
        names: list[str],
        body: Sequence[ast.AST],
        known: list[dict[str, list[Fact]]] | None = None,
    ) -> None:
        before = self._scope, self._names, self._elsewhere, self._known
        self._scope, self._names, self._elsewhere, self._known = scope, names, {}, known or []
        self._block(body)
        self._scope, self._names, self._elsewhere, self._known = before

    # What is known in a part of a function.

    def _block(self, statements: Iterable[ast.AST], told: Iterable[Told] = ()) -> None:
        self._known.append({})
        self._learn(told)
        for statement in statements:
            self.visit(statement)
            if isinstance(statement, (ast.Assert, ast.If)):
                self._learn(told_after(statement))
        self._known.pop()

    def _learn(self, told: Iterable[Told]) -> None:
        for path, is_one, classes in told:
            self._known[-1].setdefault(path, []).append(Fact(is_one, classes, self._scope))

    def _forget(self, path: str) -> None:
        for facts in self._known:
            for each in [each for each in facts if each == path or each.startswith(f"{path}.")]:
                del facts[each]

    def _note_facts(self, node: ast.Name | ast.Attribute) -> None:
        if not any(self._known):
            return
        path = path_of(node)
        facts = tuple(fact for facts in self._known for fact in facts.get(path, ()))
        if facts:
            self._module.facts[node] = facts

    def visit_Name(self, node: ast.Name) -> None:
        if self._scope.holder is None and self._scope.outer is not None:
            self._module.scopes[node] = self._scope
        self._note_facts(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._note_facts(node)
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._block(node.body, told_by(node.test, True))
        self._block(node.orelse, told_by(node.test, False))

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self._block([node.body], told_by(node.test, True))
        self._block([node.orelse], told_by(node.test, False))

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._block(node.body, told_by(node.test, True))
        self._block(node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        told: list[Told] = []
        for part in node.values:
            self._block([part], told)
            told += told_by(part, isinstance(node.op, ast.And))

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        path = path_of(node.subject)
        others: list[Told] = []
        for case in node.cases:
            self._bind_pattern(case.pattern, Bound("value", node.subject, self._scope))
            classes = classes_of(case.pattern)
            told: list[Told] = [(path, True, classes)] if classes is not None else []
            body = case.body if case.guard is None else [case.guard, *case.body]
            self._block(body, [*others, *told] if path else ())
            if classes is not None and takes_all(case):
                others.append((path, False, classes))

    # Statements that bind names.

    def _target(self, name: str) -> Scope:
        return self._elsewhere.get(name, self._scope)

    def visit_Global(self, node: ast.Global) -> None:
        self._elsewhere.update(dict.fromkeys(node.names, self._module.scope))

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self._nonlocal += [(self._scope, name) for name in node.names]

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            if each.asname:
                self._target(each.asname).bind(each.asname, "import", each.name)
            else:
                first = each.name.partition(".")[0]
                self._target(first).bind(first, "import", first)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        origin = self._origin(node)
        for each in node.names:
            if each.name == "*":
                self._scope.stars.append(origin)
            else:
                name = each.asname or each.name
                self._target(name).bind(name, "import", f"{origin}.{each.name}".lstrip("."))

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self._module.name.split(".")
        levels = node.level - 1 if self._module.is_package else node.level
        if levels > len(package):
            return "?"  # above all packages: Python cannot, either
        return ".".join([*package[: len(package) - levels], *([node.module] if node.module else [])])

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._bind(target, Bound("value", node.value, self._scope))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            self._bind(node.target, Bound("value", node.value, self._scope))
        self._bind(node.target, Bound("annotation", node.annotation, self._scope))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.op, (ast.Add, ast.BitOr)):
            self._put_into(node.target, Bound("value", node.value, self._scope))
        self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        home = self._scope
        while home.holder is None and home.outer is not None:  # a comprehension's are those of what is around it
            home = home.outer
        self._forget(node.target.id)
        self._elsewhere.get(node.target.id, home).bind(node.target.id, "value", node.value, self._scope)

    def visit_TypeAlias(self, node: Any) -> None:
        self._target(node.name.id).bind(node.name.id, "alias", node.value)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        how = "entered" if isinstance(node, ast.With) else "awaited entered"
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self._bind(item.optional_vars, Bound(how, item.context_expr, self._scope))
        self._block(node.body)

    visit_AsyncWith = visit_With  # noqa: N815

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._bind(node.target, Bound("element", node.iter, self._scope))
        self._block(node.body)
        self._block(node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        if node.name is not None:
            self._forget(node.name)
            self._target(node.name).bind(node.name, "unknown", None)
        self._block(node.body)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        self.visit(node.generators[0].iter)
        around = self._scope
        self._scope = Scope(self._module, around)
        for number, generator in enumerate(node.generators):
            if number:
                self.visit(generator.iter)
            self._bind(generator.target, Bound("element", generator.iter, self._scope if number else around))
            for each in generator.ifs:
                self.visit(each)
        told = [told for generator in node.generators for test in generator.ifs for told in told_by(test, True)]
        self._block([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], told)
        inner, self._scope = self._scope, around
        for name in inner.bindings:
            around.bind(name, "comprehension", node)

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp  # noqa: N815

    def _bind(self, target: ast.expr, bound: Bound) -> None:
        match target:
            case ast.Name(id=name):
                self._forget(name)
                self._target(name).bind(name, bound.how, bound.what, bound.scope)
            case ast.Tuple() | ast.List():
                self._bind_several(target.elts, bound)
            case ast.Starred(value=value):
                self._bind(value, bound)
            case ast.Attribute():
                self.visit(target.value)
                self._forget(path_of(target))
                self._bind_attribute(target, bound)
            case ast.Subscript():
                self.visit(target)
                if bound.how != "annotation":
                    self._put_into(target.value, Bound("item", bound, bound.scope))
            case _:
                self.visit(target)

    def _bind_several(self, targets: Sequence[ast.expr], bound: Bound) -> None:
        stars = [number for number, each in enumerate(targets) if isinstance(each, ast.Starred)]
        star = stars[0] if stars else len(targets)
        given = bound.what.elts if bound.how == "value" and isinstance(bound.what, (ast.Tuple, ast.List)) else []
        behind = len(targets) - star - 1
        is_known = len(given) >= len(targets) - len(stars) and not any(isinstance(each, ast.Starred) for each in given)
        for number, target in enumerate(targets):
            which = number if number < star else number - len(targets)
            if number == star:
                middle = ast.List(given[star : len(given) - behind], ast.Load())
                part = Bound("value", middle, bound.scope) if is_known else Bound("part", (bound, None), bound.scope)
            elif is_known:
                part = Bound("value", given[which], bound.scope)
            else:
                part = Bound("part", (bound, which), bound.scope)
            self._bind(target, part)

    def _bind_pattern(self, pattern: ast.pattern, bound: Bound) -> None:
        unknown = Bound("unknown", None, bound.scope)
        match pattern:
            case ast.MatchAs(pattern=inner, name=name):
                classes = classes_of(pattern)
                if name is not None:
                    held = bound if classes is None else Bound("annotation", classes, bound.scope)
                    self._bind(ast.Name(name, ast.Store()), held)
                if inner is not None:
                    self._bind_pattern(inner, bound)
            case ast.MatchStar(name=str(name)):
                self._bind(ast.Name(name, ast.Store()), bound)
            case ast.MatchSequence(patterns=patterns):
                for number, each in enumerate(patterns):
                    which = None if isinstance(each, ast.MatchStar) else number
                    self._bind_pattern(each, Bound("part", (bound, which), bound.scope))
            case ast.MatchMapping(keys=keys, patterns=patterns, rest=rest):
                for key, each in zip(keys, patterns, strict=True):
                    self.visit(key)
                    under = key.value if isinstance(key, ast.Constant) else None
                    self._bind_pattern(each, Bound("part", (bound, under), bound.scope))
                if rest is not None:
                    self._bind(ast.Name(rest, ast.Store()), unknown)
            case ast.MatchClass(cls=cls, patterns=patterns, kwd_attrs=names, kwd_patterns=named):
                self.visit(cls)
                for position, each in enumerate(patterns):
                    self._bind_pattern(each, Bound("member", (cls, position), bound.scope))
                for member, each in zip(names, named, strict=True):
                    self._bind_pattern(each, Bound("member", (cls, member), bound.scope))
            case ast.MatchOr(patterns=patterns):
                for each in patterns:
                    self._bind_pattern(each, bound)
            case ast.MatchValue(value=value):
                self.visit(value)

    def _bind_attribute(self, target: ast.Attribute, bound: Bound) -> None:
        kind = self._kind_of_self(target.value)
        if kind is not None:
            kind.attributes[target.attr].append(bound)
        else:
            self._module.assigned.append((target, bound))

    def _kind_of_self(self, node: ast.expr) -> Kind | None:
        """Return the class of a method's first parameter; a nested function has that of the one around it."""
        scope: Scope | None = self._scope
        while scope is not None and not (isinstance(scope.holder, Function) and scope.holder.kind is not None):
            scope = scope.outer
        method = None if scope is None else scope.holder
        if not isinstance(method, Function) or not method.parameters or not isinstance(node, ast.Name):
            return None
        return method.kind if node.id == method.parameters[0].arg else None

    def _put_into(self, collection: ast.expr, bound: Bound) -> None:
        while isinstance(collection, ast.Subscript):
            collection, bound = collection.value, Bound("item", bound, bound.scope)
        if isinstance(collection, ast.Name):
            self._put.append((collection.id, Bound(bound.how, bound.what, bound.scope)))
        elif isinstance(collection, ast.Attribute):
            kind = self._kind_of_self(collection.value)
            if kind is not None:
                kind.items[collection.attr].append(bound)

    # What a function gives, and calls.

    def visit_Call(self, node: ast.Call) -> None:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in _PUTS and len(node.args) > _PUTS[func.attr]:
            put = Bound("value", node.args[_PUTS[func.attr]], self._scope)
            self._put_into(func.value, Bound("item", put, self._scope))
        self.generic_visit(node)

    def visit_Await(self, node: ast.Await) -> None:
        if isinstance(node.value, ast.Call):
            self._module.awaited.add(node.value)
        self.visit(node.value)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.visit(node.value)
            if isinstance(self._scope.holder, Function):
                self._scope.holder.returned.append(node.value)

    def visit_Yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        scope = self._scope
        while scope.holder is None and scope.outer is not None:
            scope = scope.outer
        if isinstance(scope.holder, Function):
            scope.holder.is_generator = True
            if node.value is not None:
                scope.holder.yielded.append((node.value, isinstance(node, ast.YieldFrom)))
        self.generic_visit(node)

    visit_YieldFrom = visit_Yield  # noqa: N815


def _holder_of(name: str, scope: Scope | None) -> Scope | None:
    """Return the scope that binds a name which is used in another one."""
    while scope is not None and name not in scope.bindings:
        scope = scope.around()
    return scope
