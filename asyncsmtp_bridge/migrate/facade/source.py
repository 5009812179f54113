"""The source of modules, found and parsed, and nothing imported.

Owns where the source of a module is, what the names at its top level stand for, and which class a name leads to,
through modules that only pass it on. It does not know what a face needs.
"""

from __future__ import annotations

import ast
import builtins
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .members import FacadeError

Statements = Iterable[ast.stmt]
Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def flat(statements: Statements) -> Iterator[ast.stmt]:
    """Give statements and those within ``if``, ``try``, ``with`` and loops, not those of functions and classes."""
    for statement in statements:
        yield statement
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from flat(getattr(statement, name, ()))
        for handler in getattr(statement, "handlers", ()):
            yield from flat(handler.body)


@dataclass
class Module:
    """A module, as its source has it.

    Args:
        name: Its name.
        path: Where its source is.
        tree: That, parsed.
    """

    name: str
    path: Path
    tree: ast.Module
    imported: dict[str, tuple[str, str]] = field(init=False, default_factory=dict)
    """What names stand for that are imported: a module, and the name there; "" for the module itself."""
    defined: dict[str, ast.stmt] = field(init=False, default_factory=dict)
    """The statements that give the others."""
    modules: set[str] = field(init=False, default_factory=set)
    """Those that are imported, by their whole names."""
    only_checked: set[str] = field(init=False, default_factory=set)
    """Modules that are imported for type checkers only."""
    exported: set[str] = field(init=False, default_factory=set)
    """Names that are there for others, as it says: in ``__all__``, or ``import CorpMailer as CorpMailer``."""

    def __post_init__(self) -> None:
        checked = {
            id(inner)
            for statement in flat(self.tree.body)
            if isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING")
            for inner in flat(statement.body)
        }
        at_run_time: set[str] = set()
        for statement in flat(self.tree.body):
            for module in self._note(statement):
                (self.only_checked if id(statement) in checked else at_run_time).add(module)
        self.only_checked -= at_run_time

    def _note(self, statement: ast.stmt) -> list[str]:
        """Take note of what a statement gives names to; return the modules that it imports from."""
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                first = alias.name.partition(".")[0]
                self.modules.add(alias.name)
                self.imported.setdefault(alias.asname or first, (alias.name if alias.asname else first, ""))
            return [alias.name for alias in statement.names]
        if isinstance(statement, ast.ImportFrom):
            module = self._absolute(statement)
            for alias in statement.names:
                self.imported.setdefault(alias.asname or alias.name, (module, alias.name))
                self.exported |= {alias.name} if alias.asname == alias.name else set()
            return [module]
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.defined[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    self.defined[target.id] = statement
            if dotted(statement.targets[0]) == "__all__" and isinstance(statement.value, (ast.List, ast.Tuple)):
                listed = [each.value for each in statement.value.elts if isinstance(each, ast.Constant)]
                self.exported |= {each for each in listed if isinstance(each, str)}
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            self.defined[statement.target.id] = statement
        elif isinstance(name := getattr(statement, "name", None), ast.Name):  # 'type Address = str'
            self.defined[name.id] = statement
        return []

    def _absolute(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        package = self.name.split(".")
        if self.path.stem != "__init__":
            package = package[:-1]
        package = package[: len(package) - statement.level + 1]
        return ".".join([*package, *([statement.module] if statement.module else [])])

    def origin(self, expression: ast.expr) -> tuple[str, str] | None:
        """Return the module, and the qualified name there, that a dotted name leads to; None if that cannot be told."""
        name = dotted(expression)
        if name is None:
            return None
        first, _, rest = name.partition(".")
        if first in self.defined:
            return self.name, name
        if first not in self.imported:
            return ("builtins", name) if hasattr(builtins, first) else None
        module, there = self.imported[first]
        if there:
            return module, f"{there}.{rest}" if rest else there
        steps = rest.split(".") if rest else []
        while steps and f"{module}.{steps[0]}" in self.modules:
            module = f"{module}.{steps.pop(0)}"
        return (module, ".".join(steps)) if steps else None


def dotted(expression: ast.expr) -> str | None:
    """Return a dotted name as text; None if it is none."""
    if isinstance(expression, ast.Name):
        return expression.id
    if isinstance(expression, ast.Attribute):
        value = dotted(expression.value)
        return None if value is None else f"{value}.{expression.attr}"
    return None


def unquoted(annotation: ast.expr | None) -> ast.expr | None:
    """Return an annotation, also one that is written as a string; None if there is none, or it is not Python."""
    if not isinstance(annotation, ast.Constant) or not isinstance(annotation.value, str):
        return annotation
    try:
        return ast.parse(annotation.value.strip(), mode="eval").body
    except SyntaxError:
        return None


@dataclass(frozen=True)
class ClassSource:
    """The definition of a class.

    Args:
        module: The module that has it.
        name: Its qualified name there.
        node: The definition.
    """

    module: Module
    name: str
    node: ast.ClassDef


class Sources:
    """The modules that can be found in some folders.

    Args:
        folders: Where to look, as in ``sys.path``.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders
        self._known: dict[str, Module | None] = {}

    def find(self, name: str) -> Path | None:
        """Return the file with the source of a module."""
        for folder in self.folders:
            path = folder.joinpath(*name.split("."))
            for candidate in (path / "__init__.py", path.with_name(f"{path.name}.py")):
                if candidate.is_file():
                    return candidate
        return None

    def module(self, name: str, path: Path | None = None) -> Module | None:
        """Return a module; None if its source is not found.

        Args:
            name: Its name.
            path: Where its source is, where that is known.

        Raises:
            FacadeError: The source cannot be read.
        """
        if name not in self._known:
            path = path or self.find(name)
            self._known[name] = None if path is None else Module(name, path, _parsed(path))
        return self._known[name]

    def find_class(self, module_name: str, name: str) -> ClassSource | None:
        """Return the definition that a name leads to, also through modules that import it from another one."""
        for _ in range(20):
            module = self.module(module_name)
            if module is None:
                return None
            first, *others = name.split(".")
            if first in module.defined:
                return _class_in(module, first, others) or self._renamed(module, name)
            origin = module.origin(ast.parse(name, mode="eval").body)
            if origin is None or origin[0] == "builtins":
                return None
            module_name, name = origin
        return None

    def exporter(self, module_name: str, name: str, defined_in: str, name_there: str) -> str:
        """Return the module to import a class from: the one that was named, if it passes the class on to others.

        A module that imports a name has it for itself, for strict type checkers, unless it says otherwise.

        Args:
            module_name: The module that was named.
            name: The qualified name of the class.
            defined_in: The module that has its definition.
            name_there: Its qualified name there; by another one it is not found there.
        """
        module, first = self.module(module_name), name.partition(".")[0]
        is_passed_on = module is None or first not in module.imported or first in module.exported
        return module_name if is_passed_on or name != name_there else defined_in

    def _renamed(self, module: Module, name: str) -> ClassSource | None:
        """Follow ``Mailer = _mail.CorpMailer``."""
        statement = module.defined.get(name)
        origin = module.origin(statement.value) if isinstance(statement, ast.Assign) else None
        return None if origin is None or origin == (module.name, name) else self.find_class(*origin)


def _class_in(module: Module, first: str, others: Sequence[str]) -> ClassSource | None:
    found = module.defined[first]
    for name in others:
        if not isinstance(found, ast.ClassDef):
            return None
        inner = [one for one in flat(found.body) if isinstance(one, ast.ClassDef) and one.name == name]
        if not inner:
            return None
        found = inner[-1]
    return ClassSource(module, ".".join([first, *others]), found) if isinstance(found, ast.ClassDef) else None


def _parsed(path: Path) -> ast.Module:
    try:
        with tokenize.open(path) as file:
            return ast.parse(file.read(), str(path))
    except SyntaxError as error:
        where = f"{path}:{error.lineno}" if error.lineno else str(path)
        raise FacadeError(f"{where}: {error.msg}") from error
    except (OSError, ValueError) as error:
        raise FacadeError(f"{path} cannot be read: {error}") from error
