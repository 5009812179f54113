"""Repairs: how the line of a site would be written so that it does not block.

Owns what is written in place of an expression, and what is said where no line would do. It knows nothing of stacks,
and measures nothing.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from enum import Enum, auto

from .expressions import ENTERING, expression_at, expressions_of, name_called
from .sites import Session, Site

_LONGEST = 160


@dataclass(frozen=True)
class Repair:
    """What is to be done about a site.

    Args:
        call: What blocks, as the source has it; None: that cannot be told.
        mend: The line that would not, or a sentence where no line can be given.
    """

    call: str | None
    mend: str


class _What(Enum):
    """What a call calls."""

    FUNCTION = auto()
    CLASS_OF_SESSIONS = auto()
    METHOD_OF_SESSION = auto()


def repair_of(site: Site) -> Repair:
    """Return what is to be done about a site, as far as its source can be had."""
    try:
        found = expression_at(site)
    except (SyntaxError, ValueError, OSError, RecursionError):
        found = None
    call = None if found is None else _cut(ast.unparse(found[1]))
    sentence = _sentence(site, call)
    if sentence is not None or found is None:
        return Repair(call, sentence or "run what blocks in a worker: await bridge(function)(...)")
    return Repair(call, mended(*found, site))


def _sentence(site: Site, call: str | None) -> str | None:
    """Say what is to be done where no line of the site's would mend it."""
    if site.logs:
        return "put a logging.handlers.QueueHandler in front of the SMTPHandler; its listener sends from a thread"
    if not site.is_coroutine:
        return (
            f"{site.place.function} runs on the event loop and is no coroutine function: make it 'async def' and await "
            "there, or have it called through bridge()"
        )
    if site.awaits_library:
        return f"{call or 'what is awaited'} blocks though it is awaited: that is the library's to mend"
    return None


def mended(statement: ast.stmt, node: ast.expr, site: Site) -> str:
    """Return a statement's first line, so that what blocks in it is awaited.

    Args:
        statement: The statement.
        node: What blocks: a call, an attribute, or what a ``with`` statement enters.
        site: What is known of the call.
    """
    if isinstance(statement, ast.With) and any(item.context_expr is node for item in statement.items):
        return _entering(statement, node, site)
    if isinstance(node, ast.Call) and isinstance(statement, ast.For) and statement.iter is node and site.runs_generator:
        return _first_line(ast.AsyncFor(statement.target, _bridged_call(node), [ast.Pass()], [], lineno=0))
    if not isinstance(node, (ast.Call, ast.Attribute)):
        return f"run it in a worker: await bridge(function)(...), with a function that does {_cut(ast.unparse(node))}"
    if any(
        isinstance(each, (ast.Lambda, ast.GeneratorExp)) and _holds(each, node) for each in expressions_of(statement)
    ):
        return "an await cannot stand there: make a function of the whole, and await bridge(function)(...)"
    awaited: ast.expr = ast.Await(_awaitable(node, site))
    outer = _called_at_once(statement, node)
    if outer is not None and isinstance(node, ast.Call) and _makes_session(node, site):
        # What is called on the session is awaited, too.
        return _first_line(_replaced(statement, outer, ast.Await(copy.deepcopy(outer, {id(node): awaited}))))
    line = _first_line(_replaced(statement, node, awaited))
    if isinstance(node, ast.Call) and _what(node, site) is _What.METHOD_OF_SESSION:
        assert isinstance(node.func, ast.Attribute)  # noqa: S101 - or it would be called as a function
        mirror = _mirror(site.session)
        return f"{line}  # {ast.unparse(node.func.value)}: " + (
            f"an {mirror}" if mirror else f"from bridge({site.session.name})(...)"
        )
    return line


def _entering(statement: ast.With, node: ast.expr, site: Site) -> str:
    item = next(item for item in statement.items if item.context_expr is node)
    entered = ast.withitem(_entered(node, site), item.optional_vars)
    line = _first_line(ast.AsyncWith([entered], [ast.Pass()], lineno=0))
    return line if len(statement.items) == 1 else f"{line}  # in a statement of its own"


def _entered(node: ast.expr, site: Site) -> ast.expr:
    """Return what ``async with`` enters in place of something."""
    if not isinstance(node, ast.Call):
        return node if site.calls_session else _bridge(node)
    if name_called(node) == "ExitStack":
        func: ast.expr = copy.copy(node.func)
        setattr(func, "attr" if isinstance(func, ast.Attribute) else "id", "AsyncExitStack")
        return ast.Call(func, node.args, node.keywords)
    if site.inwards[0] in (*ENTERING, "__init__", "enter_context"):
        return _made_session(node, site) if _makes_session(node, site) else _bridged_call(node)
    return _bridge(ast.Await(_bridged_call(node)))  # a function that returns what is entered then


def _awaitable(node: ast.Call | ast.Attribute, site: Site) -> ast.expr:
    """Return what is awaited in place of something."""
    if isinstance(node, ast.Attribute):
        names = ast.Name(f'("{node.attr}",)', ast.Load())
        return ast.Attribute(_bridge(node.value, ast.keyword("awaitable", names)), node.attr, ast.Load())
    if site.inwards[0] == "enter_context" and isinstance(node.func, ast.Attribute) and len(node.args) == 1:
        stack = ast.Attribute(node.func.value, "enter_async_context", ast.Load())
        return ast.Call(stack, [_entered(node.args[0], site)], [])
    what = _what(node, site)
    if what is _What.METHOD_OF_SESSION:
        return node
    return _bridged_call(node) if what is _What.FUNCTION else _made_session(node, site)


def _what(node: ast.Call, site: Site) -> _What:
    if _makes_session(node, site):
        return _What.CLASS_OF_SESSIONS
    func = node.func
    if not site.calls_session or site.inwards[0].startswith("__") or not isinstance(func, ast.Attribute):
        return _What.FUNCTION
    is_own = isinstance(func.value, ast.Name) and func.value.id == "self"
    return _What.FUNCTION if is_own or name_called(func.value) == "super" else _What.METHOD_OF_SESSION


def _makes_session(node: ast.Call, site: Site) -> bool:
    """Whether a call is that of the session's class."""
    entered = site.inwards[0] in ENTERING and name_called(node) == site.session.name
    return site.calls_session and (entered or site.inwards[0] == "__init__")


def _made_session(node: ast.Call, site: Site) -> ast.Call:
    """Return what makes a session in place of its class."""
    mirror = _mirror(site.session)
    if mirror is None:
        return _bridged_call(node)
    chosen = [ast.keyword("smtp_class", node.func)] if site.session.is_ours else []
    return ast.Call(ast.Name(mirror, ast.Load()), node.args, [*node.keywords, *chosen])


def _mirror(session: Session) -> str | None:
    """Return the name of the class that is awaited in place of a session's, if there is one."""
    is_known = session.is_smtplibs or session.is_ours
    return f"Async{session.name.removeprefix('Pipelined')}" if is_known else None


def _bridge(node: ast.expr, *choices: ast.keyword) -> ast.Call:
    return ast.Call(ast.Name("bridge", ast.Load()), [node], list(choices))


def _bridged_call(node: ast.Call) -> ast.Call:
    return ast.Call(_bridge(node.func), node.args, node.keywords)


def _called_at_once(statement: ast.stmt, node: ast.expr) -> ast.Call | None:
    """Return the call of a method of what an expression is, in the same statement, if there is one."""
    for each in expressions_of(statement):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.value is node:
            return each
    return None


def _holds(node: ast.expr, wanted: ast.expr) -> bool:
    return any(each is wanted for each in ast.walk(node))


def _replaced(statement: ast.stmt, node: ast.expr, by: ast.expr) -> ast.stmt:
    """Return a copy of a statement's head in which an expression is another one."""
    head = copy.copy(statement)
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        if hasattr(head, block):
            setattr(head, block, [ast.Pass()] if block == "body" else [])
    made: ast.stmt = copy.deepcopy(head, {id(node): by})
    return made


def _first_line(statement: ast.stmt) -> str:
    lines = ast.unparse(statement).splitlines()
    # Decorators stand before the line that a class or function begins with.
    return _cut(next((line for line in lines if not line.startswith("@")), lines[0]))


def _cut(text: str) -> str:
    line = " ".join(text.split("\n"))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
