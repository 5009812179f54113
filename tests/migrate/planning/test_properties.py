"""What holds of any program: nothing is lost between a plan, its edits and a second plan."""

from __future__ import annotations

import ast
import tempfile
from collections import Counter
from pathlib import Path
from textwrap import indent

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncsmtp_bridge.migrate.scanning.scan import scan

from ..marks import LEGACY, sources
from .programs import HEAD, migrated, planned

MAKERS = [
    "smtplib.SMTP(HOST, PORT)",
    "smtplib.SMTP()",
    "smtplib.SMTP_SSL(HOST, PORT) if given else None",
    "Audited(HOST, PORT)",
    "Mailer()",
    "Outbox()",
    "connect()",
    "given",
    "None",
]
BINDINGS = [
    "{name} = {maker}",
    "{name}: Any = {maker}",
    "if ({name} := {maker}):\n    pass",
    "{name} = other = {maker}",
    "for {name} in [{maker}]:\n    pass",
    "try:\n    {name} = {maker}\nexcept OSError as {name}:\n    raise",
]
USES = [
    "{name}.quit()",
    "{name}.send('Used')",
    "if {name}:\n    {name}.noop()",
    "code = {name}.noop()[0]",
    "{name}.again().send('Again')",
    "print({name}.label, {name}.code, f'{{{name}.local_hostname}}')",
    "with {name}:\n    {name}.noop()",
    "with {name} as again, noted('With'):\n    again.noop()",
    "codes = [{name}.noop() for _ in 'ab' if {name}.noop()]",
    "sum(part for part in {name}.noop()[:1])",
    "print([part for part in {name}.each('Ann')])",
    "for part in {name}.each({name}.send('Ann')):\n    send(str(part))",
    "later = lambda: {name}.noop()",
    "def nested():\n    return {name}.noop()",
    "async def inner():\n    return {name}.noop()",
    "print({name})",
    "del {name}",
    "return {name}",
    "kept.append({name})",
    "counts = {{send(): send() for _ in each('Ann', str(send()))}}",
    "{name}.send(send({name}.send('Ann')))",
    "assert send(f'{{send()}}')",
    "await asyncio.sleep({name}.noop()[0])",
    "try:\n    {name}.noop()\nfinally:\n    {name}.quit()",
    "async with {name}:\n    {name}.noop()",
]
NAMES = ["smtp", "mailer"]

binding = st.builds(
    lambda form, name, maker: form.format(name=name, maker=maker),
    st.sampled_from(BINDINGS),
    st.sampled_from(NAMES),
    st.sampled_from(MAKERS),
)
use = st.builds(lambda form, name: form.format(name=name), st.sampled_from(USES), st.sampled_from(NAMES))
function = st.builds(
    lambda number, statements: (
        f"async def function_{number}(given: Any, kept: Any) -> Any:\n" + indent("\n".join(statements), "    ")
    ),
    st.integers(0, 9),
    st.builds(
        lambda first, others: [*first, *others], st.lists(binding, max_size=3), st.lists(use, min_size=1, max_size=5)
    ),
)


def check(source: str, name: str = "program.py") -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(source)
        sources_before, plan_before = planned(path)
        steps = Counter(each.place for each in scan(sources_before.sources))
        left = Counter(each.place for each in plan_before.left)
        assert not left - steps, "what is left is a step"
        first = migrated(path)
        compile(path.read_text(), name, "exec", dont_inherit=True)
        sources_after, second = planned(path)
        assert not second.edits
        assert [each.place.function for each in second.left] == [each.place.function for each in first.left]
        after = Counter(each.place for each in scan(sources_after.sources))
        assert after == Counter(each.place for each in second.left), "a scan finds what was left"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(function, min_size=1, max_size=3))
def test_of_any_functions_all_is_edited_or_left_and_a_second_plan_agrees(functions: list[str]) -> None:
    check(HEAD + "\n\n".join(functions) + "\n")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(sources(LEGACY))), st.data())
def test_of_parts_of_the_legacy_modules_too(path: str, data: st.DataObject) -> None:
    """Without some of its functions, a module is another program."""
    tree = ast.parse((LEGACY / path).read_text("utf-8"))
    for each in [one for one in tree.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]:
        if data.draw(st.booleans()):
            tree.body.remove(each)
    check(ast.unparse(tree) + "\n")
