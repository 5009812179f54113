"""The editor: a file's text with edits made in it, and every other character as it was.

Owns the order in which edits are made, and what makes a file one that cannot be edited. It does not know why an edit is
wanted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable

try:
    import libcst as cst
except ImportError as error:
    raise ImportError(
        'asyncsmtp_bridge.migrate.editing.editor needs libcst: pip install "asyncsmtp_bridge[migrate]"', name="libcst"
    ) from error

from ..sources import NEWLINE
from .bridges import with_bridges
from .edits import Edits, Uneditable
from .imports import with_imports
from .rewriting import rewritten
from .unused import without_unused


def edited(text: str, edits: Edits, project: Iterable[str] = ()) -> str:
    """Return the text with the edits made.

    Args:
        text: A file's text, with the line ends that it has, without a byte order mark.
        edits: What is to be done, in places of this very text.
        project: The top-level packages of the project itself: imports of them stand behind those of others.

    Raises:
        Uneditable: The text cannot be parsed without loss, or would not compile afterwards.
        ValueError: The edits do not belong to this text; the message names the span.
    """
    if edits.is_empty:
        return text
    module = _parsed(text)
    module = _parsed(rewritten(module, edits))
    module = with_imports(module, edits.imports, frozenset(project))
    module = with_bridges(module, edits.bridges, edits.imports)
    module = without_unused(module, edits.unused)
    _check(module.code)
    return module.code


def _parsed(text: str) -> cst.Module:
    try:
        module = cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise Uneditable(f"LibCST cannot parse it: {error.message}", error.raw_line) from error
    except (cst.CSTValidationError, TypeError) as error:
        # It refuses a parenthesis right behind a keyword in places, such as 'return(x if y else z)'.
        raise Uneditable(f"LibCST cannot parse it: {error}") from error
    if module.code != text:
        pairs = zip(NEWLINE.split(module.code), NEWLINE.split(text), strict=False)
        line = next((number for number, (ours, theirs) in enumerate(pairs, 1) if ours != theirs), None)
        raise Uneditable(
            "LibCST does not keep it as it is: a form feed before a statement, or an old line end at the end", line
        )
    return module


def _check(text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<edited>", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Uneditable(f"it would not compile when edited: {error.msg}") from error
