"""The face: its source, written.

Owns spelling and layout: how references become names and imports, and what stands in which line. It is laid out as
formatters do it, for lines of 88 characters and of any longer length. It does not know how a wrapper is read.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import sys
import tokenize
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from .members import ANY, ITSELF, PROTOCOLS, FacadeError, Home, Kind, Member, Wrapper, reference, subscript

MARK = "Written by: asyncsmtp-bridge facade "
"""What the head of each face has in a line of its own."""

_LINE = 88
_PACKAGE = "asyncsmtp_bridge"


def face_of(wrapper: Wrapper, name: str = "", awaitable: Collection[str] = ()) -> str:
    """Return the source of a wrapper's face.

    Args:
        wrapper: The wrapper.
        name: What to call the face; ``Async`` and the wrapper's name if left out.
        awaitable: Properties that block, besides those that are seen to.

    Raises:
        FacadeError: There is no such property.
    """
    own_name = wrapper.name.rpartition(".")[2]
    properties = [each.name for home in wrapper.homes for each in home.members if each.kind is Kind.PROPERTY]
    for each in awaitable:
        if each not in properties:
            has = f"its properties are {', '.join(properties)}" if properties else "it has none"
            raise FacadeError(f"{wrapper.name} has no property {each!r} to be awaited; {has}")
    return "\n".join(_Writer(wrapper, name or f"Async{own_name}", awaitable).lines()) + "\n"


class _Spelling:
    """Spells references, and takes note of what must be imported.

    Args:
        wrapper: The wrapper: it is imported from where it was asked for.
        taken: Names that mean something else in the body of the class.
    """

    def __init__(self, wrapper: Wrapper, taken: Collection[str]) -> None:
        self._wrapper = wrapper
        self._taken = taken
        self._spelled: dict[tuple[str, str], str] = {}
        self.imports: dict[tuple[str, str], bool] = {}
        """Module and name of each, and whether it is for type checkers only."""

    def name(self, module: str, name: str) -> str:
        """Return what something is called here."""
        is_checked, module = module.endswith("?"), module.removesuffix("?")
        if module == self._wrapper.defined_in and name == self._wrapper.name.partition(".")[0]:
            module, is_checked = self._wrapper.imported_from, False
        key = module, name
        if key not in self._spelled:
            others = {*self._taken, *self._spelled.values()}
            if module != "builtins":
                others |= set(dir(builtins)) - {name}
            spelled = name
            while spelled in others:
                spelled += "_"
            self._spelled[key] = spelled
        if module != "builtins" or self._spelled[key] != name:
            self.imports[key] = is_checked and self.imports.get(key, True)
        return self._spelled[key]

    def text(self, expression: ast.expr) -> str:
        """Return an expression with names in place of references."""
        return _double_quoted(ast.unparse(_Spelled(self).visit(expression)))

    def import_lines(self) -> Iterator[str]:
        """Give the lines of the imports."""
        now = [key for key, is_checked in self.imports.items() if not is_checked]
        checked = [key for key, is_checked in self.imports.items() if is_checked]
        if checked:
            now.append(("typing", "TYPE_CHECKING"))
        yield from self._sections(now)
        if checked:
            yield from ("", "if TYPE_CHECKING:")
            yield from self._sections(checked, "    ")

    def _sections(self, imports: Iterable[tuple[str, str]], indent: str = "") -> list[str]:
        own = self._wrapper.module.partition(".")[0]
        sections: list[dict[str, list[str]]] = [{}, {}, {}]
        for module, name in imports:
            root = module.partition(".")[0]
            section = 0 if root in sys.stdlib_module_names else 2 if root == own else 1
            sections[section].setdefault(module, []).append(name)
        lines: list[str] = []
        for modules in filter(None, sections):
            lines += [""] if lines else []
            for module in sorted(modules, key=lambda each: (each.lower(), each)):
                lines += self._import(module, modules[module], indent)
        return lines

    def _import(self, module: str, names: list[str], indent: str) -> Iterator[str]:
        def is_renamed(name: str) -> bool:
            return self._spelled.get((module, name), name) != name

        plain = sorted((name for name in names if not is_renamed(name)), key=_import_order)
        for name in sorted({*plain[:1], *filter(is_renamed, names)}, key=_import_order):
            if is_renamed(name):
                yield f"{indent}from {module} import {name} as {self._spelled[module, name]}"
            elif len(line := f"{indent}from {module} import {', '.join(plain)}") <= _LINE:
                yield line
            else:
                yield from (
                    f"{indent}from {module} import (",
                    *(f"{indent}    {each}," for each in plain),
                    f"{indent})",
                )


def _import_order(name: str) -> tuple[int, str, str]:
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower(), name


class _Spelled(ast.NodeTransformer):
    """Puts names in place of references."""

    def __init__(self, spelling: _Spelling) -> None:
        self._spelling = spelling

    def visit_Name(self, node: ast.Name) -> ast.expr:
        module, _, name = node.id.partition(":")
        return ast.Name(self._spelling.name(module, name))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return ast.Attribute(self.visit(node.value), node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return ast.Subscript(self.visit(node.value), self.visit(node.slice))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        return ast.Tuple([self.visit(each) for each in node.elts])

    def visit_List(self, node: ast.List) -> ast.expr:
        return ast.List([self.visit(each) for each in node.elts])


def _double_quoted(text: str) -> str:
    """Return an expression with the quotes that formatters want."""
    if "'" not in text:
        return text
    pieces, end = [], 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.STRING and token.string[0] == "'" and '"' not in token.string:
            pieces += [text[end : token.start[1]], '"', token.string[1:-1].replace("\\'", "'"), '"']
            end = token.end[1]
    return "".join([*pieces, text[end:]])


class _Writer:
    """Writes the face of a wrapper."""

    def __init__(self, wrapper: Wrapper, name: str, awaitable: Collection[str]) -> None:
        self._wrapper = wrapper
        self._name = name
        self._awaitable = awaitable
        self._taken = {member.name for home in wrapper.homes for member in home.members}
        free = ["create", "make", *(f"create{'_' * count}" for count in range(1, len(self._taken) + 2))]
        self._create = next(each for each in free if each not in self._taken)
        self._spelling = _Spelling(wrapper, {*self._taken, self._create, name})
        self._kind = self._spelling.text(reference(wrapper.imported_from, wrapper.name))

    def lines(self) -> Iterator[str]:
        """Give the lines of the file."""
        body = list(self._body())  # first, since it says what is to be imported
        command = f"{self._wrapper.module}:{self._wrapper.name}"
        if self._name != f"Async{self._wrapper.name.rpartition('.')[2]}":
            command += f" --name {self._name}"
        command += "".join(f" --awaitable {each}" for each in sorted(set(self._awaitable)))
        yield from (
            f'"""{self._name}: {self._wrapper.module}.{self._wrapper.name}, awaited.',
            "",
            MARK + command,
            "Do not change it by hand: run that again when the class has changed (--check in CI).",
            '"""',
            "",
            "from __future__ import annotations",
            "",
            *self._spelling.import_lines(),
            "",
            "",
            *body,
        )

    def _body(self) -> Iterator[str]:
        wrapped: ast.expr = reference(self._wrapper.imported_from, self._wrapper.name)
        if self._wrapper.parameters:
            wrapped = subscript(wrapped, *[ANY] * self._wrapper.parameters)
        base = self._spelling.name(_PACKAGE, "AsyncBridge")
        yield f"class {self._name}({base}[{self._spelling.text(wrapped)}]):"
        yield f"    {_docstring(self._wrapper.doc or f'{self._wrapper.name}, with its methods awaited.')}"
        notes = list(self._wrapper.notes)
        if self._wrapper.parameters:
            notes.append("generic: type checkers see Any in place of its type variables")
        if self._wrapper.is_abstract:
            notes.append("abstract: none can be made of it, and so there is no create()")
        if notes:
            yield from ("", *(line for note in notes for line in _comment(note)))
        for number, home in enumerate(self._wrapper.homes):
            yield from self._home(home, is_own=not number)
        if self._wrapper.protocols:
            yield ""
            yield from _comment(_not_in_a_face(self._wrapper.protocols))

    def _home(self, home: Home, *, is_own: bool) -> Iterator[str]:
        members = [self._as_chosen(member) for member in home.members]
        if is_own and not self._wrapper.is_abstract:
            members.insert(0, Member("", Kind.FACTORY, notes=self._wrapper.construction))
        attributes = [member for member in members if member.kind in (Kind.ATTRIBUTE, Kind.PROPERTY)]
        classes = [member for member in members if member.kind is Kind.CLASS]
        others = [member for member in members if member not in attributes and member not in classes]
        if members and not is_own:
            yield from ("", f"    # From {home.module}.{home.name}.")
        for group in filter(None, (classes, attributes, others)):
            yield ""
            for member in group:
                yield from self._member(member)

    def _as_chosen(self, member: Member) -> Member:
        if member.kind is not Kind.PROPERTY or not (member.blocks or member.name in self._awaitable):
            return member
        does = "talks to the server" if member.blocks else "blocks"
        seen = "" if member.is_cached else "; pyright sees object"
        note = f"a property that {does}: 'await {member.name}()'{seen}"
        return replace(member, kind=Kind.METHOD, notes=(note,))

    def _member(self, member: Member) -> Iterator[str]:
        for note in (*member.notes, *self._given(member.gives)):
            yield from _comment(note)
        yield from self._declaration(member)
        if member.doc:
            yield f"    {_docstring(member.doc)}"

    def _given(self, kind: str) -> Iterator[str]:
        """Say that what a member gives is not awaited."""
        own = self._wrapper.homes[0]
        if kind in (ITSELF, f"{own.module}.{own.name}"):
            yield f"gives {_one(self._wrapper.name)} itself, which blocks: {self._name}(...) around it"
        elif kind:
            module, _, name = kind.rpartition(".")
            named = "an " + kind if module == "smtplib" else _one(name)
            yield f"gives {named}, which blocks: bridge(...) around it"

    def _declaration(self, member: Member) -> list[str]:
        there = f"{self._kind}.{member.known_as or member.name}" if member.name else self._kind
        name = member.name or self._create
        if member.kind in (Kind.ATTRIBUTE, Kind.PROPERTY):
            line = f"    {name}: {self._spelling.text(member.annotation or ANY)}"
            return [line if len(line) <= _LINE else f"{line}  # fmt: skip"]
        if member.kind is Kind.CLASS:
            return [f"    {name} = {there}"]
        declare = self._spelling.name(_PACKAGE, "bridge" if member.kind is Kind.FUNCTION else "async_method")
        if member.kind is Kind.FUNCTION:
            call, argument = self._spelling.name("builtins", "staticmethod"), f"{declare}({there})"
        else:
            call, argument = f"{declare}.factory" if member.kind is Kind.FACTORY else declare, there
        first, second = (_ignored(each for each in member.minded if (each == "arg-type") is of) for of in (False, True))
        line = f"    {name} = {call}({argument})"
        if len(line) <= _LINE:
            return [f"{line}{_ignored(member.minded)}"]
        return [f"    {name} = {call}({first}", f"        {argument},{second}", "    )"]


def _not_in_a_face(protocols: Collection[str]) -> str:
    of_a_proxy = [each for each in protocols if PROTOCOLS[each]]
    has = "them" if len(of_a_proxy) == len(protocols) else ", ".join(of_a_proxy)
    return f"a face has no {', '.join(protocols)}{f'; bridge(...) has {has}' if of_a_proxy else ''}"


def _one(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _ignored(codes: Iterable[str]) -> str:
    """Return the comment for what mypy minds: a type of an argument where that stands, the others where it begins."""
    listed = ", ".join(sorted(codes))
    return f"  # type: ignore[{listed}]" if listed else ""


def _comment(note: str) -> Iterator[str]:
    words, line = note.split(), "    #"
    for word in words:
        if len(line) + 1 + len(word) > _LINE:
            yield line
            line = "    #"
        line += f" {word}"
    yield line


def _docstring(text: str) -> str:
    text = re.sub(r'"{3,}', "'''", text.replace("\\", "\\\\"))
    start, end = " " if text.startswith('"') else "", " " if text.endswith(('"', "\\")) else ""
    return f'"""{start}{text}{end}"""'
