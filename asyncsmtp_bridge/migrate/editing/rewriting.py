"""Rewriting: expressions and statements that are awaited, replaced or made asynchronous, where they stand in a text.

Owns which node a place names, and where the grammar wants parentheses. LibCST says where nodes and parentheses are; the
text is changed around them, so that nothing else can become another. It does not know why an edit is wanted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from ..sources import NEWLINE
from .edits import Edits, Span, Uneditable
from .splices import Splices

KNOWS_PLACES_IN_F_STRINGS = sys.version_info >= (3, 12)
"""Before, `ast` counts lines and columns within f-strings in ways of its own, and they may be those of other calls."""

# What `await` takes without parentheses; parentheses around one of these may as well stand around the await.
PRIMARY = (
    cst.Attribute,
    cst.BaseDict,
    cst.BaseList,
    cst.BaseNumber,
    cst.BaseSet,
    cst.BaseString,
    cst.Call,
    cst.Ellipsis,
    cst.Name,
    cst.Subscript,
)


def rewritten(module: cst.Module, edits: Edits) -> str:
    """Return a module's text with the edits of expressions and statements made in it.

    Args:
        module: The module.
        edits: What is to be done; imports, bridges and what is unused are left aside.

    Raises:
        Uneditable: A comment would be lost.
        ValueError: An edit names a place at which there is nothing of its kind, or it is done already.
    """
    rewriting = _Rewriting(module)
    for span, source in edits.replaced.items():
        rewriting.replace(span, source)
    for span in edits.awaited:
        rewriting.put_await(span)
    for span in edits.entered:
        rewriting.make_async(span, "with")
    for span in edits.walked:
        rewriting.make_async(span, "for")
    return rewriting.text()


class _Rewriting:
    """The edits of one module.

    Args:
        module: The module.
    """

    def __init__(self, module: cst.Module) -> None:
        self._module = module
        self._lines = NEWLINE.split(module.code)
        self._splices = Splices(module.code)
        self._ranges: Mapping[cst.CSTNode, CodeRange] = MetadataWrapper(module, unsafe_skip_copy=True).resolve(
            PositionProvider
        )
        self._expressions: dict[CodeRange, cst.BaseExpression] = {}
        self._blocks: dict[tuple[str, CodeRange], cst.With | cst.For | cst.CompFor] = {}
        self._operands: set[cst.CSTNode] = set()  # an await in their place needs parentheses
        self._awaited: set[cst.CSTNode] = set()
        self._f_strings: list[CodeRange] = []
        self._replaced: dict[cst.CSTNode, cst.BaseExpression] = {}
        for node in self._ranges:
            self._take_note_of(node)

    def _take_note_of(self, node: cst.CSTNode) -> None:
        match node:
            case cst.Attribute() | cst.Subscript():
                self._operands.add(node.value)
            case cst.Call():
                self._operands.add(node.func)
            case cst.Await():
                self._awaited |= {node, node.expression}
            case cst.FormattedString() | cst.TemplatedString():
                self._f_strings.append(self._at(node))
            case cst.With():
                self._blocks["with", self._at(node)] = node
            case cst.For():
                self._blocks["for", self._at(node)] = node
            case cst.CompFor():
                self._blocks["for", self._at(node.iter)] = node
            case _:
                pass
        if isinstance(node, cst.BaseExpression):
            self._expressions[self._at(node)] = node

    def text(self) -> str:
        """Return the text with everything done."""
        return self._splices.applied()

    # What is done.

    def replace(self, span: Span, source: str) -> None:
        """Put other source in the place of an expression."""
        node = self._expression(span, "replaced")
        at = self._ranges[node]
        if any(isinstance(each, cst.Comment) and _is_within(self._ranges[each], at) for each in self._ranges):
            raise Uneditable("there is a comment within an expression that would be replaced", span.line)
        new = cst.parse_expression(source)
        before, after = self._beside(at)
        touches = (_is_word(before) and _is_word(source[0])) or (_is_word(source[-1]) and _is_word(after))
        if not node.lpar and not new.lpar and (touches or not isinstance(new, PRIMARY)):
            source = f"({source})"
        self._replaced[node] = new
        self._splices.instead(*self._offsets(at), source)

    def put_await(self, span: Span) -> None:
        """Put an await in front of an expression, in parentheses if it must be."""
        node = self._expression(span, "awaited")
        if node in self._awaited:
            raise ValueError(f"at {span} is something that is awaited already")
        at = self._ranges[node]
        operand = self._replaced.get(node, node)
        is_primary = isinstance(operand, PRIMARY) or (node in self._replaced and not node.lpar)
        if node.lpar and is_primary:
            self._splices.around(*self._offsets(at), "await ", "")
            return
        begin, end = "await ", ""
        if node.lpar:
            at = CodeRange(self._ranges[node.lpar[0]].start, self._ranges[node.rpar[-1]].end)
        elif not is_primary:
            begin, end = "await (", ")"
        before, after = self._beside(at)
        if node in self._operands or _is_word(before) or _is_word(after):
            begin, end = f"({begin}", f"{end})"
        self._splices.around(*self._offsets(at), begin, end)

    def make_async(self, span: Span, keyword: str) -> None:
        """Put an async in front of a ``with`` or ``for``."""
        node = self._blocks.get((keyword, self._place(span)))
        if node is None:
            raise _nothing(span, f"'{keyword}'")
        if node.asynchronous is not None:
            raise ValueError(f"at {span} is an 'async {keyword}' already")
        at = self._ranges[node]
        if isinstance(node, cst.CompFor):
            at = CodeRange(self._ranges[node.whitespace_before].end, at.end)
        self._splices.around(*self._offsets(at), "async ", "")

    # Where it is done.

    def _expression(self, span: Span, done: str) -> cst.BaseExpression:
        place = self._place(span)
        node = self._expressions.get(place)
        if node is None:
            raise _nothing(span, f"expression to be {done}")
        if not KNOWS_PLACES_IN_F_STRINGS and any(place != one and _is_within(place, one) for one in self._f_strings):
            raise ValueError(f"{span} is within an f-string, of which Python before 3.12 cannot tell places")
        if any(node is not one and _is_within(place, self._at(one)) for one in self._replaced):
            raise ValueError(f"{span} (to be {done}) is within a replaced expression")
        return node

    def _place(self, span: Span) -> CodeRange:
        """Return where LibCST sees what stands there; it counts columns in characters."""
        try:
            start = len(self._lines[span.line - 1].encode()[: span.column].decode())
            end = len(self._lines[span.end_line - 1].encode()[: span.end_column].decode())
        except (IndexError, UnicodeDecodeError) as error:
            raise ValueError(f"the text has no such place: {span}") from error
        return CodeRange((span.line, start), (span.end_line, end))

    def _at(self, node: cst.CSTNode) -> CodeRange:
        """Return where `ast` sees the node: tuples and generators with the parentheses that make them."""
        if isinstance(node, (cst.Tuple, cst.GeneratorExp)) and node.lpar:
            return CodeRange(self._ranges[node.lpar[-1]].start, self._ranges[node.rpar[0]].end)
        return self._ranges[node]

    def _offsets(self, at: CodeRange) -> tuple[int, int]:
        return (
            self._splices.offset(at.start.line, at.start.column),
            self._splices.offset(at.end.line, at.end.column),
        )

    def _beside(self, at: CodeRange) -> tuple[str, str]:
        """Return the characters beside a part of the text."""
        before = self._lines[at.start.line - 1][: at.start.column]
        after = self._lines[at.end.line - 1][at.end.column :]
        return before[-1:], after[:1]


def _nothing(span: Span, what: str) -> ValueError:
    return ValueError(f"at {span} is no {what}: the text is another one than the edits were made for")


def _is_within(inner: CodeRange, outer: CodeRange) -> bool:
    begins = (outer.start.line, outer.start.column) <= (inner.start.line, inner.start.column)
    return begins and (inner.end.line, inner.end.column) <= (outer.end.line, outer.end.column)


def _is_word(character: str) -> bool:
    """Tell whether a keyword and this character side by side would be one word."""
    return character == "_" or character.isalnum()
