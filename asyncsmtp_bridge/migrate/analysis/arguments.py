"""Arguments: which parameter is given what.

Owns how Python matches the two, as far as that can be told from the source of a call.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .program import Function


def arguments_of(function: Function, call: ast.Call, skipped: int) -> list[tuple[str, ast.expr]]:
    """Return which parameter of a function is given what by a call."""
    parameters = function.parameters[skipped:]
    found: list[tuple[str, ast.expr]] = []
    for number, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred):
            break
        if number < len(parameters):
            found.append((parameters[number].arg, argument))
        elif function.node.args.vararg is not None:
            found.append((function.node.args.vararg.arg, argument))
    names = {each.arg for each in (*function.parameters, *function.node.args.kwonlyargs)}
    found += [(each.arg, each.value) for each in call.keywords if each.arg in names and each.arg is not None]
    return found


def all_of(arguments: ast.arguments) -> Iterator[ast.arg]:
    """Yield every parameter."""
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (each for each in (arguments.vararg, arguments.kwarg) if each is not None)


def default_of(arguments: ast.arguments, name: str) -> ast.expr | None:
    """Return what a parameter is when it is not given; None: it must be, or that is not said."""
    positional = [*arguments.posonlyargs, *arguments.args]
    for parameter, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
        if parameter.arg == name:
            return default
    for parameter, keyword_default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if parameter.arg == name:
            return keyword_default
    return None
