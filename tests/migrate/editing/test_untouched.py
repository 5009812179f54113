"""What the editor does not touch: every other character of a file."""

import ast
import inspect
import json.decoder
import smtplib
import sys
import textwrap

import libcst as cst
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asyncsmtp_bridge.migrate.editing.editor import edited
from asyncsmtp_bridge.migrate.editing.edits import Bridge, Edits, Import, Span, Uneditable

from .marked import awaiting, in_coroutine, without_awaits

ODD = {
    "CRLF": "async def f():\r\n    x = 1\r\n    send()  # c\r\n\r\n\r\ny = 2\r\n",
    "mixed line ends": "async def f():\r\n    x = 1\n    send()\r\n\n\ny = '''a\r\nb\n'''\n",
    "tabs": "async def f():\n\tx = 1\n\tif x:\n\t\tsend( )\t# c\n",
    "no newline at the end": "async def f():\n    return send()",
    "space at the ends of lines": "async def f():  \n    send()   \n   \n    x = 1 ;\n\t\n",
    "form feeds": "import x\n\x0c\nasync def f():\n    send()\n\x0c\n    y = 1 # \x0c\n",
    "form feeds in an expression": "async def f():\n    send(\x0c1)\n",
    "a declared encoding": "#!/usr/bin/env python\n# -*- coding: latin-1 -*-\nx = 'é'\nasync def f(): send()\n",
    "separators of lines that are none for Python": "x = '\u2028\x85\x1c'\nasync def f(): y = '\u2028', send()\n",
    "wide characters": "async def f():\n    x = '日本', send(), '😀', send()\n",
    "odd indents": "async def f():\n   if x:\n         send()\n   # c\n#d\n   y = 1\n     # e\n",
    "continued lines": "async def f():\n    x = \\\n  send(\n 1,\n\n # c\n  )\\\n\n\n    y = 1\n",
    "old quotes and numbers": "async def f():\n    x = 0XFF, 1E5, R'\\d', U'x', '\\d', send()\n",
    "spaces in odd places": "async def f( a ,b = 1 )  :\n    x  [ 0 ]=send (1 ,) ; y=1\n",
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.filterwarnings("ignore:invalid escape:DeprecationWarning", "ignore:invalid escape:SyntaxWarning")
def test_all_that_is_not_awaited_stays_as_it_is(what: str):
    text = ODD[what]
    after = edited(text, awaiting(text))
    assert after != text
    assert after.replace("await ", "") == text


@pytest.mark.parametrize("what", ODD)
@pytest.mark.filterwarnings("ignore:invalid escape:DeprecationWarning", "ignore:invalid escape:SyntaxWarning")
def test_a_text_without_edits_is_the_same(what: str):
    assert edited(ODD[what], Edits()) == ODD[what]


def test_edits_that_are_made_already_change_nothing():
    text = "from asyncsmtp_bridge import bridge\n\nx = f()\nasync_x = bridge(x)\n"
    edits = Edits(
        imports=(Import("asyncsmtp_bridge", "bridge"),),
        bridges=(Bridge("async_x", "x", frozenset("x")),),
        unused=frozenset({"smtplib"}),
    )
    assert edited(text, edits) == text


@pytest.mark.parametrize("module", [smtplib, json.decoder, textwrap])
def test_only_lines_with_edits_differ_in_a_file_as_people_write_them(module):
    text = inspect.getsource(module).replace("def ", "async def ")
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.AsyncFunctionDef))]
    edits = Edits(awaited=frozenset(Span.of(call) for function in calls for call in _calls(function)))
    after = edited(text, edits)
    assert without_awaits(after) == without_awaits(text)
    pairs = list(zip(text.split("\n"), after.split("\n"), strict=True))
    touched = {line for span in edits.awaited for line in (span.line, span.end_line)}
    assert edits.awaited
    assert {number for number, (old, new) in enumerate(pairs, 1) if old != new} <= touched


def _calls(function: ast.AsyncFunctionDef) -> list[ast.Call]:
    """Return the calls in the function's own statements of the simplest kinds."""
    values = [one.value for one in function.body if isinstance(one, (ast.Expr, ast.Assign, ast.Return))]
    return [value for value in values if isinstance(value, ast.Call)]


@pytest.mark.parametrize(
    ("text", "line"),
    [("x = 1\n\x0cdef f(): pass\n", 2), ("x = 1\ry = 2\r", None)],
)
def test_a_file_that_would_not_come_back_as_it_is_is_refused(text: str, line: int | None):
    with pytest.raises(Uneditable, match="LibCST does not keep it as it is") as raised:
        edited(text, Edits(imports=(Import("asyncsmtp_bridge", "bridge"),)))
    assert line is None or raised.value.line == line


@pytest.mark.parametrize("text", ["print 'x'\n", "def f():\n    return(x if y else z)\n", "x = y in(lambda: 0)\n"])
def test_what_libcst_cannot_parse_is_refused(text: str):
    with pytest.raises(Uneditable, match="LibCST cannot parse it: "):
        edited(text, Edits(unused=frozenset("x")))


# Expressions of every kind, nested in each other.

TEMPLATES = {
    1: ["send({})", "smtp.send({}, x=1)", "({})", "[{}]", "{}.x", "({}).x", "({}).send()", "-{}", "not {}", "(not({}))",
        "({})[0]", "({})()", "x[{}:]", "f(*{})", "f(**{})", "(x := {})",
        "(yield {})", "(\n{}\n)", "( {} )", "{{{}}}", "(await f({}))", "'a'.send({})"],
    2: ["{} + {}", "({}) ** ({})", "({})**-({})", "{} if {} else y", "({})if({})else({})", "({}) and ({})", "{}, {}",
        "send({}, {})", "({}) < ({})", "f({}, x={})", "[{}, *({})]", "({})(x)[{}]", "({}).send(\n    {},  # c\n)"],
}  # fmt: skip
if sys.version_info >= (3, 11):  # before, an asynchronous comprehension may not stand within another one
    TEMPLATES[1] += ["[x for x in {}]", "{{x: y for x in z if {}}}"]


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def fill(template: str) -> st.SearchStrategy[str]:
        parts = st.tuples(*[inner] * template.replace("{{", "").replace("}}", "").count("{}"))
        return parts.map(lambda given: template.format(*(given * 2)))

    return st.sampled_from(TEMPLATES[1] + TEMPLATES[2]).flatmap(fill)


EXPRESSIONS = st.recursive(st.sampled_from(["x", "1.5", "'s'", "send()", "smtp.send(1)"]), _compound, max_leaves=8)


def _compiles(text: str) -> bool:
    try:
        compile(text, "<before>", "exec")
    except SyntaxError:
        return False
    return _libcst_knows(text)


def _libcst_knows(text: str) -> bool:
    """LibCST takes some valid code for invalid, such as ``return(x if y else z)``."""
    try:
        cst.parse_module(text)
    except cst.CSTValidationError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_the_same_program_comes_out_but_for_its_awaits(expression: str):
    before = in_coroutine(f"x = ({expression})")
    assume(_compiles(before))
    edits = awaiting(before)
    awaits = {Span.of(node.value) for node in ast.walk(ast.parse(before)) if isinstance(node, ast.Await)}
    assume(not awaits & edits.awaited)
    after = edited(before, edits)
    assert without_awaits(after) == without_awaits(before)
    assert after.count("await ") == before.count("await ") + len(edits.awaited)
    awaits = {Span.of(node.value) for node in ast.walk(ast.parse(after)) if isinstance(node, ast.Await)}
    assert awaiting(after).awaited <= awaits
