"""Awaits: in front of a call, wherever the grammar lets one stand."""

import ast
import sys

import pytest

from asyncsmtp_bridge.migrate.editing.editor import edited
from asyncsmtp_bridge.migrate.editing.edits import Edits, Span, Uneditable

from .marked import awaited, awaiting, in_coroutine

CONTEXTS = [
    # statements
    ("send()", "await send()"),
    ("smtp.send(a, *b, **c)", "await smtp.send(a, *b, **c)"),
    ("x = send()", "x = await send()"),
    ("x = y = send()", "x = y = await send()"),
    ("x: int = send()", "x: int = await send()"),
    ("x += send()", "x += await send()"),
    ("x, *y = send(), *send()", "x, *y = await send(), *await send()"),
    ("return send()", "return await send()"),
    ("return(send())", "return(await send())"),
    ("assert send(), send()", "assert await send(), await send()"),
    ("raise send() from send()", "raise await send() from await send()"),
    ("del send()[0], send().x", "del (await send())[0], (await send()).x"),
    ("send().x = send()[0]", "(await send()).x = (await send())[0]"),
    ("if send(): pass\nelif send(): pass", "if await send(): pass\nelif await send(): pass"),
    ("while send(): pass", "while await send(): pass"),
    ("for x in send(): pass", "for x in await send(): pass"),
    ("for send().x in y: pass", "for (await send()).x in y: pass"),
    ("with send(), send() as y: pass", "with await send(), await send() as y: pass"),
    ("with (send()) as y: pass", "with (await send()) as y: pass"),
    ("try: pass\nexcept send(): pass", "try: pass\nexcept await send(): pass"),
    ("match send():\n    case 1 if send(): pass", "match await send():\n    case 1 if await send(): pass"),
    ("match(send()):\n    case _: pass", "match(await send()):\n    case _: pass"),
    (
        "@send()\nclass C(send(), metaclass=send()): pass",
        "@await send()\nclass C(await send(), metaclass=await send()): pass",
    ),
    ("@send().x\ndef f(a=send()): pass", "@(await send()).x\ndef f(a=await send()): pass"),
    ("a = 1; send(); b = 2", "a = 1; await send(); b = 2"),
    # what binds tighter than await
    ("send().x", "(await send()).x"),
    ("send()[0]", "(await send())[0]"),
    ("send()[0:1, ...]", "(await send())[0:1, ...]"),
    ("send()()", "(await send())()"),
    ("send().send()", "await (await send()).send()"),
    ("send().x.send()[0].send()", "await (await (await send()).x.send())[0].send()"),
    ("send(send())", "await send(await send())"),
    ("send(x=send(), *send(), **send())", "await send(x=await send(), *await send(), **await send())"),
    ("x[send()]", "x[await send()]"),
    ("x[send():send():send()]", "x[await send():await send():await send()]"),
    # what binds less tight
    ("-send()", "-await send()"),
    ("~send()", "~await send()"),
    ("not send()", "not await send()"),
    ("not(send())", "not(await send())"),
    ("send() ** 2", "await send() ** 2"),
    ("2 ** send()", "2 ** await send()"),
    ("-send() ** -send()", "-await send() ** -await send()"),
    ("send() + send() * send()", "await send() + await send() * await send()"),
    ("send()@send()", "await send()@await send()"),
    ("send() < send() in send()", "await send() < await send() in await send()"),
    ("send() is not send()", "await send() is not await send()"),
    ("send() and send() or send()", "await send() and await send() or await send()"),
    ("send() if send() else send()", "await send() if await send() else await send()"),
    ("(x := send())", "(x := await send())"),
    # displays and comprehensions
    ("[send(), *send()]", "[await send(), *await send()]"),
    ("{send(), *send()}", "{await send(), *await send()}"),
    ("{send(): send(), **send()}", "{await send(): await send(), **await send()}"),
    ("(send(),)", "(await send(),)"),
    ("send(),", "await send(),"),
    ("[send() for x in send() if send()]", "[await send() for x in await send() if await send()]"),
    ("{send(): send() for x in y}", "{await send(): await send() for x in y}"),
    ("f(send() for x in y)", "f(await send() for x in y)"),
    ("await f(send())", "await f(await send())"),
    ("await send().x", "await (await send()).x"),
    ("await send()()", "await (await send())()"),
    ("yield send()", "yield await send()"),
    ("yield(send())", "yield(await send())"),
    # parentheses that are there
    ("(send())", "(await send())"),
    ("((send()))", "((await send()))"),
    ("(send()).x", "(await send()).x"),
    ("(send())[0]", "(await send())[0]"),
    ("( send( ) )( )", "( await send( ) )( )"),
    ("(smtp.send)()", "await (smtp.send)()"),
    ("(smtp).send()", "await (smtp).send()"),
    # lines
    ("smtp.send(\n    1,  # one\n    2,\n)", "await smtp.send(\n    1,  # one\n    2,\n)"),
    ("x = (\n    # first\n    send()  # then\n)", "x = (\n    # first\n    await send()  # then\n)"),
    ("x = (smtp\n     .send()\n     .x)", "x = ((await smtp\n     .send())\n     .x)"),
    ("x = \\\n    send()", "x = \\\n    await send()"),
    ("x = send() \\\n    .x", "x = (await send()) \\\n    .x"),
    ("send()  # the mail", "await send()  # the mail"),
    # keywords without a space
    ("return(smtp).send()", "return(await (smtp).send())"),
    ("return[smtp][0].send()", "return(await [smtp][0].send())"),
    ("return'{}'.send()", "return(await '{}'.send())"),
    ("x = 1 if'y'.send()else 2", "x = 1 if(await 'y'.send())else 2"),
    ("x = not{}.send()", "x = not(await {}.send())"),
    ("x = send()if send()else send()", "x = (await send())if (await send())else await send()"),
    ("é = 'ü', smtp.send('ß'), send()", "é = 'ü', await smtp.send('ß'), await send()"),
]


@pytest.mark.parametrize(("before", "after"), CONTEXTS)
def test_a_call_is_awaited_with_the_parentheses_that_it_needs(before: str, after: str):
    assert awaited(before) == after


@pytest.mark.parametrize("code", ["'x'", "[1]", "{1: 2}", "{1}", "x", "x[0]", "1", "...", "'a' 'b'", "[y for y in x]"])
def test_what_is_no_call_is_awaited_without_parentheses_if_it_is_a_primary(code: str):
    assert _awaiting_value(code) == f"x = await {code}"


@pytest.mark.parametrize("code", ["x + y", "-x", "not x", "lambda: x", "x if y else z", "x < y", "x and y", "x, y"])
def test_what_binds_less_tight_is_awaited_in_parentheses(code: str):
    assert _awaiting_value(code) == f"x = await ({code})"


@pytest.mark.parametrize("code", ["(x + y)", "(x, y)", "(y for y in x)", "((x, y))", "((y) for y in x)", "()"])
def test_parentheses_of_an_operand_are_enough(code: str):
    assert _awaiting_value(code) == f"x = await {code}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return(x + y)", "return(await (x + y))"),
        ("(x + y).z", "(await (x + y)).z"),
        ("(x, y)[0]", "(await (x, y))[0]"),
    ],
)
def test_an_operand_in_parentheses_is_parted_from_what_is_beside_it(before: str, after: str):
    text = in_coroutine(before)
    [value] = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.BinOp, ast.Tuple))]
    assert edited(text, Edits(awaited=frozenset({Span.of(value)}))) == in_coroutine(after)


def _awaiting_value(code: str) -> str:
    text = in_coroutine(f"x = {code}")
    [value] = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assign)]
    return edited(text, Edits(awaited=frozenset({Span.of(value)}))).splitlines()[1].strip()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the places of expressions in f-strings are not known")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f'{send()}'", "f'{await send()}'"),
        ("f'é{send().x!r:>{send()}}ü{send()}'", "f'é{(await send()).x!r:>{await send()}}ü{await send()}'"),
        ("f'''\n{send()}\n{\n  smtp.send(1)}'''", "f'''\n{await send()}\n{\n  await smtp.send(1)}'''"),
        ("'a' f'{send()}' 'b'", "'a' f'{await send()}' 'b'"),
        ("f'{send(f\"{send()}\")}'", "f'{await send(f\"{await send()}\")}'"),
    ],
)
def test_a_call_in_an_f_string_is_awaited(before: str, after: str):
    text = in_coroutine(f"x = {before}")
    assert edited(text, awaiting(text)) == in_coroutine(f"x = {after}")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="they are known")
def test_a_place_in_an_f_string_is_refused_where_python_cannot_tell_it():
    text = in_coroutine("x = f'{send()}'")
    with pytest.raises(ValueError, match="within an f-string"):
        edited(text, awaiting(text))


def test_a_call_of_a_whole_f_string_is_awaited():
    assert awaited("f'{x}'.send(f'{y}')") == "await f'{x}'.send(f'{y}')"


def test_what_is_awaited_already_is_refused():
    text = in_coroutine("await send()")
    with pytest.raises(ValueError, match=r"2:10 to 2:16 .*awaited already"):
        edited(text, awaiting(text))


def test_an_await_is_not_awaited():
    text = in_coroutine("await send()")
    with pytest.raises(ValueError, match="awaited already"):
        edited(text, Edits(awaited=frozenset({Span(2, 4, 2, 16)})))


@pytest.mark.parametrize(
    "span", [Span(1, 0, 1, 5), Span(2, 4, 2, 9), Span(2, 3, 2, 10), Span(3, 0, 3, 1), Span(9, 0, 9, 4)]
)
def test_a_place_at_which_no_expression_stands_is_an_error(span: Span):
    with pytest.raises(ValueError, match=f"{span}"):
        edited("async def main():\n    send()\n", Edits(awaited=frozenset({span})))


def test_a_place_in_the_middle_of_a_character_is_an_error():
    with pytest.raises(ValueError, match="no such place"):
        edited("é = send()\n", Edits(awaited=frozenset({Span(1, 1, 1, 3)})))


def test_an_await_where_none_may_be_is_refused():
    with pytest.raises(Uneditable, match="would not compile when edited: 'await' outside"):
        edited("def main():\n    send()\n", Edits(awaited=frozenset({Span(2, 4, 2, 10)})))
