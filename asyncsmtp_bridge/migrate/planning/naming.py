"""Naming: what a module calls the bridges that are made in it.

Owns which functions and classes are bridged once for their module, and under which name; the others are bridged where
they are called. A name that the file has in any place and for anything else is not taken.
"""

from __future__ import annotations

import ast
import builtins
import re
from functools import cached_property
from itertools import chain, count

from ..analysis.inference import Inference
from ..analysis.program import Function, Module, Scope
from ..analysis.values import External
from ..editing.edits import Bridge
from .importing import is_bound_at_last, may_be_unfinished
from .places import Unsafe

OURS = "asyncsmtp_bridge"
RESERVED = {"bridge", "AsyncSMTP", "AsyncSMTP_SSL", "AsyncLMTP"}
"""Names that are imported where they are needed."""


class Naming:
    """The bridges of one module.

    Args:
        module: The module.
        inference: What its expressions come to.
    """

    def __init__(self, module: Module, inference: Inference) -> None:
        self._module = module
        self._inference = inference
        self._sources: dict[str, str] = {}
        declared = [each.names for each in ast.walk(module.source.tree) if isinstance(each, ast.Global)]
        self._replaced = {name for names in declared for name in names}  # by functions, while the program runs

    @cached_property
    def _put(self) -> set[str]:
        """The names of attributes that the project puts something else into, while it runs: of modules, too."""
        nodes = [node for module in self._inference.modules for node in ast.walk(module.source.tree)]
        return {node.attr for node in nodes if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)}

    def bridge_of(self, func: ast.expr, source: str, function: Function) -> Bridge | None:
        """Return the bridge of what a function calls; None: it is bridged where it is called.

        Args:
            func: What is called.
            source: Its source.
            function: The function that calls it.
        """
        root = func
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or not self._is_of_module(func, root.id, function):
            return None
        last = func.attr if isinstance(func, ast.Attribute) else root.id
        return Bridge(self._name_for(last, source), source, frozenset({root.id}))

    def _is_of_module(self, func: ast.expr, root: str, function: Function) -> bool:
        """Whether it is a function or a class that is the same wherever it is named in the module."""
        if root not in self._module.scope.bindings:
            return False
        scope: Scope | None = function.scope
        while scope is not None and scope is not self._module.scope:
            if root in scope.bindings:
                return False
            scope = scope.around()
        if not all(each.how in ("import", "definition") for each in self._module.scope.bindings[root]):
            return False
        tree = self._module.source.tree
        if root in self._replaced or not is_bound_at_last(tree.body, root):
            return False
        if not isinstance(func, ast.Attribute):
            return True
        if func.attr in self._put:
            return False
        homes = self._inference.values_of(func.value, self._module.scope)
        if not homes or not all(isinstance(each, (Module, External)) for each in homes):
            return False
        modules = [each for each in homes if isinstance(each, Module)]
        return not any(may_be_unfinished(each, self._module, self._inference) for each in modules)

    def _name_for(self, name: str, source: str) -> str:
        plain = name.lstrip("_")
        private = name[: len(name) - len(plain)]
        first = f"{private}Async{plain}" if plain[:1].isupper() else f"{private}async_{plain}"
        for candidate in chain([first, f"{private}bridged_{plain}"], (f"{first}_{number}" for number in count(2))):
            if self._is_free(candidate, source):
                self._sources[candidate] = source
                return candidate
        raise AssertionError  # numbers do not end

    def _is_free(self, name: str, source: str) -> bool:
        """Whether a name is not taken, or is taken for just that bridge, by an earlier run or by this one."""
        if name in RESERVED:
            return False
        if name in self._sources:
            return self._sources[name] == source
        bound = self._module.scope.bindings.get(name)
        if bound:
            return all(
                isinstance(each.what, ast.Call) and ast.unparse(each.what) == f"bridge({source})" for each in bound
            )
        return not hasattr(builtins, name) and re.search(rf"\b{name}\b", self._module.source.text) is None

    def check(self, name: str, function: Function) -> None:
        """Raise where a name of this package's is taken.

        Args:
            name: The name.
            function: The function that would use it.

        Raises:
            Unsafe: Something else has the name there.
        """
        scope: Scope | None = function.scope
        while scope is not None:
            for bound in scope.bindings.get(name, ()):
                if bound.what != f"{OURS}.{name}":
                    raise Unsafe(f"the name {name} is taken in this file")
            scope = scope.around()
