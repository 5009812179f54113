"""The library: what calls of functions give that are not the project's.

Owns what is known of the standard library, of frameworks and of this package: what they take, and give on. It knows
nothing of what blocks.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .program import Bound, Function, Kind, Scope
from .values import (
    NOTHING,
    Alias,
    Awaitable,
    Bridged,
    External,
    Instance,
    Manager,
    Method,
    Proxy,
    Several,
    Values,
    awaited,
    elements,
    part_of,
    several,
    union,
)

if TYPE_CHECKING:
    from .calls import Calls
    from .inference import Inference

STACKS = {"contextlib.AsyncExitStack", "contextlib.ExitStack"}
FUTURE = "concurrent.futures.Future()"

_GIVE_THEIR_FIRST = {
    "asyncio.create_task",
    "asyncio.ensure_future",
    "asyncio.shield",
    "asyncio.wait_for",
    "collections.OrderedDict",
    "collections.deque",
    "copy.copy",
    "copy.deepcopy",
    "functools.cache",
    "functools.lru_cache",
    "functools.partial",
    "functools.partialmethod",
    "functools.singledispatch",
}
_MAKE_DECORATORS = {"functools.lru_cache"}
_BRIDGES = {"asgiref.sync.sync_to_async", "asyncsmtp_bridge.bridge"}
_THREADS = {
    "anyio.to_thread.run_sync",
    "asyncio.to_thread",
    "asyncsmtp_bridge.to_thread",
    "fastapi.concurrency.run_in_threadpool",
    "starlette.concurrency.run_in_threadpool",
    "trio.to_thread.run_sync",
}
_COPIES = {"frozenset", "iter", "list", "reversed", "set", "sorted", "tuple"}
_TAKES_ONE = {"get", "pop", "popleft", "setdefault", "get_nowait", "popitem"}


class Library:
    """What calls give that leave the project.

    Args:
        inference: What the expressions in them come to.
        calls: What calls of the project's own functions give.
    """

    def __init__(self, inference: Inference, calls: Calls) -> None:
        self._inference = inference
        self._calls = calls
        self._namespaces: dict[ast.Call, Kind] = {}
        self._of_name: dict[str, Callable[[External, ast.Call, Scope], Values]] = {
            "asyncio.gather": self._gathered,
            "asyncio.run": self._run,
            "contextlib.closing": self._manager,
            "contextlib.nullcontext": self._manager,
            "importlib.import_module": self._imported,
            "types.SimpleNamespace": self._namespace,
            "typing.NewType": self._new_type,
            "typing.TypeVar": self._type_variable,
            "typing.cast": self._cast,
        }

    # Functions that are imported from elsewhere.

    def of_external(self, callee: External, call: ast.Call, scope: Scope) -> Values:
        """Return what a call of something gives that is imported from elsewhere."""
        name = callee.name.replace("typing_extensions.", "typing.")
        if name in STACKS:
            return frozenset({External(f"{name}()")})
        if name in self._of_name:
            return self._of_name[name](callee, call, scope)
        mirrored = self._inference.mirrored(name)
        if mirrored is not None:
            return frozenset({Awaitable(frozenset({Proxy(Instance(mirrored, is_exact=True))}))})
        first = self._inference.values_of(call.args[0], scope) if call.args else NOTHING
        if name in _GIVE_THEIR_FIRST:
            return first or (frozenset({callee}) if name in _MAKE_DECORATORS else NOTHING)
        if name in _BRIDGES:
            proxies = frozenset(Proxy(each) for each in first if isinstance(each, Instance))
            return proxies | frozenset(Bridged(each) for each in first if isinstance(each, (Function, Kind, Method)))
        if name in _THREADS:
            return self._in_thread(first)
        if callee.last in ("Depends", "Security"):
            return self._depended_on(first)
        return NOTHING

    def _in_thread(self, callees: Values) -> Values:
        given = union(self._calls.given_by(each) for each in callees)
        return frozenset({Awaitable(given)}) if given else NOTHING

    def _depended_on(self, callees: Values) -> Values:
        given = awaited(union(self._calls.given_by(each) for each in callees))
        return union(elements(each) if isinstance(each, Several) else {each} for each in given)

    def _gathered(self, _: External, call: ast.Call, scope: Scope) -> Values:
        given = [awaited(self._argument(each, scope)) for each in call.args]
        is_known = not any(isinstance(each, ast.Starred) for each in call.args)
        return frozenset({Awaitable(several(union(given), enumerate(given) if is_known else ()))})

    def _argument(self, argument: ast.expr, scope: Scope) -> Values:
        values = self._inference.values_of(argument, scope)
        return union(map(elements, values)) if isinstance(argument, ast.Starred) else values

    def _run(self, _: External, call: ast.Call, scope: Scope) -> Values:
        return awaited(self._inference.values_of(call.args[0], scope)) if call.args else NOTHING

    def _manager(self, _: External, call: ast.Call, scope: Scope) -> Values:
        return frozenset({Manager(self._inference.values_of(call.args[0], scope))}) if call.args else NOTHING

    def _imported(self, _: External, call: ast.Call, scope: Scope) -> Values:
        match call.args:
            case [ast.Constant(value=str(name))]:
                return self._inference.resolved(name, scope.module)
        return NOTHING

    def _namespace(self, _: External, call: ast.Call, scope: Scope) -> Values:
        if call not in self._namespaces:
            kind = self._namespaces[call] = Kind("SimpleNamespace", "types.SimpleNamespace")
            for each in call.keywords:
                if each.arg is not None:
                    kind.attributes[each.arg].append(Bound("value", each.value, scope))
        return frozenset({Instance(self._namespaces[call], is_exact=True)})

    def _new_type(self, _: External, call: ast.Call, scope: Scope) -> Values:
        return frozenset(Alias(each, scope) for each in call.args[1:2])

    def _type_variable(self, _: External, call: ast.Call, scope: Scope) -> Values:
        bounds = [*call.args[1:], *(each.value for each in call.keywords if each.arg == "bound")]
        return frozenset(Alias(each, scope) for each in bounds)

    def _cast(self, _: External, call: ast.Call, scope: Scope) -> Values:
        if len(call.args) != 2:
            return NOTHING
        return self._inference.instances(call.args[0], scope) or self._inference.values_of(call.args[1], scope)

    # Methods of what is not known.

    def of_method(self, func: ast.Attribute, call: ast.Call, scope: Scope) -> Values:
        """Return what a call of a method gives, by its name, of an object that is not the project's."""
        if func.attr in ("enter_context", "enter_async_context") and call.args:
            values = self._inference.values_of(call.args[0], scope)
            return self._calls.entered(values, is_async=func.attr != "enter_context")
        if func.attr == "run_in_executor" and len(call.args) > 1:
            return self._in_thread(self._inference.values_of(call.args[1], scope))
        if func.attr == "submit":
            return frozenset({External(FUTURE)})
        if func.attr in ("create_task", "run_until_complete") and call.args:
            values = self._inference.values_of(call.args[0], scope)
            return values if func.attr == "create_task" else awaited(values)
        held = [each for each in self._inference.values_of(func.value, scope) if isinstance(each, Several)]
        return union(self._of_collection(each, func.attr, call, scope) for each in held)

    def _of_collection(self, held: Several, name: str, call: ast.Call, scope: Scope) -> Values:
        if name == "copy":
            return frozenset({held})
        if name == "values":
            return several(held.values)
        if name == "items":
            return several(several(held.values, enumerate([NOTHING, held.values])))
        if name not in _TAKES_ONE:
            return NOTHING
        default = self._inference.values_of(call.args[1], scope) if len(call.args) > 1 else NOTHING
        key = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        return (part_of(held, key) if held.is_mapping else held.values) | default

    # Python's own functions.

    def of_builtin(self, name: str, call: ast.Call, scope: Scope) -> Values:
        """Return what a call of one of Python's own functions gives."""
        given = [self._argument(each, scope) for each in call.args]
        match name, given:
            case "getattr", [values, _, *_]:
                return self._attribute(values, call.args[1])
            case "type", [values]:
                return frozenset(each.kind for each in values if isinstance(each, Instance))
            case "staticmethod" | "classmethod", [values]:
                return values
            case "dict", _:
                return self._dictionary(given, call, scope)
            case "next", [values, *default]:
                return union([*map(elements, values), *default])
            case "min" | "max", [values]:
                return union(map(elements, values))
            case "min" | "max", _:
                return union(given)
            case "enumerate", [values, *_]:
                return _rows([NOTHING, union(map(elements, values))])
            case "zip", _:
                return _rows([union(map(elements, values)) for values in given])
            case "filter", [_, values]:
                return several(union(map(elements, values)))
            case "map", [callees, *_]:
                return several(union(self._calls.given_by(each) for each in callees))
            case _, [values, *_] if name in _COPIES:
                return several(union(map(elements, values)))
        return NOTHING

    def _attribute(self, values: Values, name: ast.expr) -> Values:
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            return NOTHING
        return union(self._inference.attribute(each, name.value) for each in values)

    def _dictionary(self, given: list[Values], call: ast.Call, scope: Scope) -> Values:
        named = [
            (each.arg, self._inference.values_of(each.value, scope)) for each in call.keywords if each.arg is not None
        ]
        copied = [each for values in given for each in values if isinstance(each, Several) and each.is_mapping]
        return several(union(values for _, values in named), named, is_mapping=True) | frozenset(copied)


def _rows(columns: Iterable[Values]) -> Values:
    columns = list(columns)
    return several(several(union(columns), enumerate(columns)))
