"""Statements that become asynchronous, and expressions that are replaced."""

import ast

import pytest

from asyncsmtp_bridge.migrate.editing.editor import edited
from asyncsmtp_bridge.migrate.editing.edits import Edits, Span, Uneditable

from .marked import awaiting, in_coroutine, marked_calls


def spans(text: str, kind: type[ast.expr | ast.stmt]) -> frozenset[Span]:
    return frozenset(Span.of(node) for node in ast.walk(ast.parse(text)) if isinstance(node, kind))


WITH = [
    ("with f() as x: pass", "async with f() as x: pass"),
    ("with f() as x, g(): pass", "async with f() as x, g(): pass"),
    ("with(f()) as x: pass", "async with(f()) as x: pass"),
    (
        "with (\n    f() as x,  # one\n    g(),\n):\n    pass  # two",
        "async with (\n    f() as x,  # one\n    g(),\n):\n    pass  # two",
    ),
    ("with f() as x:  # why\n\tpass", "async with f() as x:  # why\n\tpass"),
    ("with f(): # a\n  with g():\n    pass", "async with f(): # a\n  async with g():\n    pass"),
    ("x = 1\n\n# above\nwith \\\n  f():\n    pass", "x = 1\n\n# above\nasync with \\\n  f():\n    pass"),
]


@pytest.mark.parametrize(("before", "after"), WITH)
def test_a_with_statement_becomes_async(before: str, after: str):
    text = in_coroutine(before)
    assert edited(text, Edits(entered=spans(text, ast.With))) == in_coroutine(after)


def test_a_for_statement_becomes_async():
    text = in_coroutine("for x in f():  # why\n    pass\nelse: pass")
    after = in_coroutine("async for x in f():  # why\n    pass\nelse: pass")
    assert edited(text, Edits(walked=spans(text, ast.For))) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[x for x in f()]", "[x async for x in f()]"),
        ("{x: y for x in f() if x for y in (f())}", "{x: y async for x in f() if x async for y in (f())}"),
        ("{x for x, y in (1, 2)}", "{x async for x, y in (1, 2)}"),
        ("g(x for x in (y for y in z))", "g(x async for x in (y async for y in z))"),
        ("g(x\n    for x  # why\n    in f())", "g(x\n    async for x  # why\n    in f())"),
        ("[(x)for x in y]", "[(x)async for x in y]"),
    ],
)
def test_the_for_of_a_comprehension_becomes_async(before: str, after: str):
    text = in_coroutine(f"z = {before}")
    walked = [node.iter for node in ast.walk(ast.parse(text)) if isinstance(node, ast.comprehension)]
    assert edited(text, Edits(walked=frozenset(map(Span.of, walked)))) == in_coroutine(f"z = {after}")


def test_a_statement_that_is_async_already_is_refused():
    text = in_coroutine("async with f():\n    async for x in y: pass")
    with pytest.raises(ValueError, match="'async with' already"):
        edited(text, Edits(entered=spans(text, ast.AsyncWith)))
    with pytest.raises(ValueError, match="'async for' already"):
        edited(text, Edits(walked=spans(text, ast.AsyncFor)))


# Replaced.


def replacing(text: str, source: str) -> Edits:
    """Return the edits that replace the functions of all marked calls."""
    return Edits(replaced={Span.of(call.func): source for call in marked_calls(text)})


@pytest.mark.parametrize(
    ("before", "source", "after"),
    [
        ("smtplib.send(1, 2)", "AsyncSMTP", "AsyncSMTP(1, 2)"),
        ("x = mailer.send (1)", "bridge(mailer.send)", "x = bridge(mailer.send) (1)"),
        ("(smtplib.send)(1)", "AsyncSMTP", "(AsyncSMTP)(1)"),
        ("(  # why\n    smtplib\n    .send)(1)", "AsyncSMTP", "(  # why\n    AsyncSMTP)(1)"),
        ("return(smtplib.send)(1)", "AsyncSMTP", "return(AsyncSMTP)(1)"),
        ("return[smtplib][0].send(1)", "AsyncSMTP", "return(AsyncSMTP)(1)"),
        ("smtplib.send(1)", "x or y", "(x or y)(1)"),
        ("smtplib.send(1)", "(x or y)", "(x or y)(1)"),
        ("smtplib.send(1)", "(yield)", "(yield)(1)"),
    ],
)
def test_an_expression_is_replaced(before: str, source: str, after: str):
    text = in_coroutine(before)
    assert edited(text, replacing(text, source)) == in_coroutine(after)


def test_a_replaced_function_may_be_that_of_an_awaited_call():
    text = in_coroutine("x = smtplib.send(1).x")
    edits = Edits(awaited=awaiting(text).awaited, replaced=replacing(text, "AsyncSMTP").replaced)
    assert edited(text, edits) == in_coroutine("x = (await AsyncSMTP(1)).x")


def test_what_is_replaced_may_itself_be_awaited():
    text = in_coroutine("x = y.z")
    span = Span(2, 8, 2, 11)
    assert edited(text, Edits(awaited=frozenset({span}), replaced={span: "a or b"})) == in_coroutine(
        "x = await (a or b)"
    )


def test_an_edit_within_a_replaced_expression_is_an_error():
    text = in_coroutine("x.send(1).send(2)")
    with pytest.raises(ValueError, match=r"2:4 to 2:13 \(to be awaited\) is within a replaced expression"):
        edited(text, Edits(awaited=awaiting(text).awaited, replaced={Span(2, 4, 2, 18): "y"}))


def test_a_comment_is_not_lost_with_what_is_replaced():
    text = in_coroutine("x = (smtplib  # why\n     .send)(1)")
    with pytest.raises(Uneditable, match="a comment within") as raised:
        edited(text, replacing(text, "AsyncSMTP"))
    assert raised.value.line == 2


def test_a_replaced_place_at_which_nothing_stands_is_an_error():
    with pytest.raises(ValueError, match="at 1:0 to 1:3 is no expression to be replaced"):
        edited("send(1)\n", Edits(replaced={Span(1, 0, 1, 3): "x"}))


def test_a_place_of_the_wrong_kind_is_an_error():
    text = in_coroutine("for x in y: pass\nwith z: pass")
    with pytest.raises(ValueError, match="at 2:4 to 2:20 is no 'with'"):
        edited(text, Edits(entered=spans(text, ast.For)))
    with pytest.raises(ValueError, match="at 3:4 to 3:16 is no 'for'"):
        edited(text, Edits(walked=spans(text, ast.With)))
