"""Wrappers that were named and that nothing in a project has: most likely their names are misspelt.

Owns where in a source a name can stand. What a wrapper's name comes to is told by
`asyncsmtp_bridge.migrate.analysis.inference`.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Sequence

from ..sources import Sources
from .scan import dotted


def check(wrappers: Sequence[str], sources: Sources) -> None:
    """Refuse a wrapper that has no part in these files, since a scan for it would pass whatever they do.

    Only the last part of its name is looked for: the rest may be another one where it is imported from elsewhere. In a
    file that could not be read it may be there.

    Args:
        wrappers: As ``corp.mail:CorpMailer``.
        sources: What was read.

    Raises:
        ValueError: A wrapper is not named like that, or its name is nowhere in the sources.
    """
    wanted = {wrapper: dotted(wrapper).rpartition(".")[2] for wrapper in wrappers}
    if not wanted or sources.unread:
        return
    there = {name for source in sources.sources for name in _names(source.tree)}
    absent = [wrapper for wrapper, name in wanted.items() if name not in there]
    if absent:
        raise ValueError(f"{', '.join(absent)}: nothing in these files has this name")


def _names(root: ast.AST) -> Iterator[str]:
    """Yield the identifiers, those in annotations that are texts among them."""
    for node in ast.walk(root):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield from [*name.split("."), other or name]
            case ast.Constant(value=str(text)):
                yield from _names_in(text)


def _names_in(text: str) -> Iterable[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, on texts that are no annotations
            return list(_names(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
