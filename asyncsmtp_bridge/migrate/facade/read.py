"""A wrapper, read from its source: the class and its bases, followed through the files that can be found.

Owns the order in which the classes count, and what is said of those that cannot be followed. Nothing is imported.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from .members import PROTOCOLS, FacadeError, Home, Wrapper, refused, said_first
from .parsed import ClassReader
from .source import ClassSource, Sources, flat


def read(module: str, name: str, sources: Sources) -> Wrapper:
    """Read a wrapper's source.

    Args:
        module: The module to look into.
        name: The qualified name of the class there.
        sources: Where modules are found.

    Raises:
        FacadeError: There is no such class, or it needs no face.
    """
    found = sources.find_class(module, name)
    if found is None:
        raise _not_found(module, name, sources)
    homes, notes, seen, protocols = [], [], set[str](), set[str]()
    construction: tuple[str, ...] | None = None
    for base in _linear(found, sources):
        if base.source is None:
            notes += not_listed(base.module, base.name)
            continue
        reader = ClassReader(base.source, sources)
        members = [member for member in reader.members().values() if member.name not in seen]
        seen |= {member.name for member in members}
        protocols |= reader.protocols()
        homes.append(Home(base.module, base.name, tuple(members)))
        construction = reader.construction() if construction is None else construction
    return Wrapper(
        module=module,
        name=name,
        defined_in=found.module.name,
        imported_from=sources.exporter(module, name, found.module.name, found.name),
        doc=said_first(ast.get_docstring(found.node)),
        parameters=ClassReader(found, sources).parameters,
        homes=tuple(homes),
        notes=tuple(notes),
        construction=construction or (),
        protocols=tuple(each for each in PROTOCOLS if each in protocols),
    )


_SILENT = {"builtins", "abc", "typing", "typing_extensions", "collections.abc", "contextlib", "enum"}
"""Modules of the standard library whose classes have nothing that a mailer would be used by."""


def is_library(module: str) -> bool:
    """Whether it is a module of the standard library."""
    return module.partition(".")[0] in sys.stdlib_module_names


def not_listed(module: str, name: str) -> list[str]:
    """Return what is said of a base whose members are not listed, if anything."""
    if not is_library(module):
        return [f"{module}.{name} was not found: what it has is not listed"]
    if module in _SILENT or module.startswith("_") or (module, name) == ("threading", "local"):
        return []
    return [f"what {module}.{name} has is not listed"]


@dataclass(frozen=True)
class _Class:
    """A class, with its definition if that was found."""

    module: str
    name: str
    source: ClassSource | None


def _linear(source: ClassSource, sources: Sources, below: tuple[str, ...] = ()) -> list[_Class]:
    """Return a class and its bases in the order in which Python looks into them (C3)."""
    key = f"{source.module.name}.{source.name}"
    if key in below:
        raise FacadeError(f"{key} is a base of itself")
    bases = [_base(each, source, sources) for each in source.node.bases]
    lines = [
        [base] if base.source is None else _linear(base.source, sources, (*below, key))
        for base in bases
        if (base.module, base.name) != ("builtins", "object")
    ]
    merged = [_Class(source.module.name, source.name, source)]
    lines.append([line[0] for line in lines])
    while any(lines):
        heads = [line[0] for line in lines if line]
        chosen = next((head for head in heads if not any(head in line[1:] for line in lines)), heads[0])
        merged.append(chosen)
        lines = [[each for each in line if each != chosen] for line in lines]
    return merged


def _base(expression: ast.expr, source: ClassSource, sources: Sources) -> _Class:
    if isinstance(expression, ast.Subscript):
        expression = expression.value
    origin = source.module.origin(expression)
    if origin is None:
        return _Class(source.module.name, ast.unparse(expression), None)
    if origin[0] == "smtplib":
        raise refused(source.name)
    found = None if is_library(origin[0]) else sources.find_class(*origin)
    return _Class(*origin, None) if found is None else _Class(found.module.name, found.name, found)


def looked_in(folders: Sequence[object]) -> str:
    """Name some folders."""
    named = [str(folder) for folder in folders]
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more folders of the path" if len(named) > 3 else "")


def _not_found(module: str, name: str, sources: Sources) -> FacadeError:
    there = sources.module(module)
    if there is None:
        return FacadeError(f"no source of a module {module!r} was found; looked in {looked_in(sources.folders)}")
    if name.partition(".")[0] in there.imported:
        return FacadeError(f"{module} imports {name} from elsewhere, and the source of that was not found")
    if isinstance(there.defined.get(name), (ast.FunctionDef, ast.AsyncFunctionDef)):
        return a_function(module, name)
    classes = [node.name for node in flat(there.tree.body) if isinstance(node, ast.ClassDef)]
    return no_such_class(module, name, classes)


def a_function(module: str, name: str) -> FacadeError:
    """Return what is said of a function."""
    return FacadeError(f"{module}.{name} is a function, and needs no face: bridge({name}) has its types")


def no_such_class(module: str, name: str, classes: Sequence[str]) -> FacadeError:
    """Return what is said where a module has no such class."""
    public = sorted({each for each in classes if not each.startswith("_")})
    has = f"; its classes are {', '.join(public[:12])}" if public else ", and no public class at all"
    return FacadeError(f"the module {module} has no class {name!r}{has}")
