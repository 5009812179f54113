"""What a face looks like."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate.facade.facade import face_of
from asyncsmtp_bridge.migrate.facade.inspected import inspected
from asyncsmtp_bridge.migrate.facade.members import FacadeError
from asyncsmtp_bridge.migrate.facade.read import read
from asyncsmtp_bridge.migrate.facade.source import Sources

from .table import WRAPPERS, face, faces

EVERY_WRAPPER = pytest.mark.parametrize("wrapper", [*WRAPPERS])


def line_before(text: str, line: str) -> str:
    lines = text.splitlines()
    return lines[lines.index(line) - 1].strip()


def written(folder: Path, source: str, kind: str = "CorpMailer", module: str = "corp_mail") -> str:
    """The face of a class, read from this source."""
    (folder / f"{module}.py").write_text(source)
    return face_of(read(module, kind, Sources([folder])))


def test_it_reads_as_a_table_of_the_wrapper() -> None:
    assert (
        face("reminders", "ListQueue")
        == '''"""AsyncListQueue: tests.migrate.facade.corp.reminders.ListQueue, awaited.

Written by: asyncsmtp-bridge facade tests.migrate.facade.corp.reminders:ListQueue
Do not change it by hand: run that again when the class has changed (--check in CI).
"""

from __future__ import annotations

from email.message import EmailMessage

from asyncsmtp_bridge import AsyncBridge, async_method

from tests.migrate.facade.corp.reminders import ListQueue


class AsyncListQueue(AsyncBridge[ListQueue]):
    """ListQueue, with its methods awaited."""

    size: int
    waiting: list[EmailMessage]

    create = async_method.factory(ListQueue)
    put = async_method(ListQueue.put)
'''
    )


@EVERY_WRAPPER
def test_it_is_the_same_read_from_the_source_alone(wrapper: str) -> None:
    module, kind = wrapper.partition("_")[0], WRAPPERS[wrapper]
    assert face(module, kind, static=True) == face(module, kind)


@pytest.mark.parametrize("length", [88, 120])
def test_it_is_laid_out_as_formatters_do_it(tmp_path: Path, length: int) -> None:
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed; it comes with the extra 'dev'")
    for module, text in faces().items():
        (tmp_path / f"{module}.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--isolated",
        "--diff",
        "--line-length",
        str(length),
        str(tmp_path),
    ]
    formatted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (formatted.stdout, formatted.returncode) == ("", 0), formatted.stderr


def test_its_imports_are_sorted_and_all_are_used(tmp_path: Path) -> None:
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed; it comes with the extra 'dev'")
    for module, text in faces().items():
        (tmp_path / f"{module}.py").write_text(text)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,I", "--output-format", "concise"]
    checked = subprocess.run(
        [*command, "--config", 'lint.isort.known-first-party = ["tests"]', "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_inherited_methods_stand_below_with_the_name_of_their_class() -> None:
    text = face("reminders", "ReminderMailer")
    own, mixed, audited, base = text.split("    # From ")
    assert "describe = " in own
    assert "create = async_method.factory(ReminderMailer)" in own
    assert mixed.startswith("tests.migrate.facade.corp.reminders.Mixed.\n\n    audit = ")
    assert "audit = " not in audited + base
    assert "send = async_method(ReminderMailer.send)" in base
    assert "describe = " not in base


def test_what_bases_of_the_standard_library_have_is_not_listed_and_that_is_said() -> None:
    text = face("reminders", "Sender")
    assert "    # what threading.Thread has is not listed\n" in text
    assert "daemon" not in text


def test_an_abstract_class_has_no_create() -> None:
    text = face("base", "Queue")
    assert "create =" not in text
    assert "# abstract" in text


def test_what_is_not_annotated_is_noted() -> None:
    text = face("legacy", "LegacyMailer")
    line = "    send = async_method(LegacyMailer.send)"
    assert line_before(text, line) == "# not annotated: type checkers accept anything"
    assert line_before(text, "    host: Any") == "# not annotated"
    assert "# not" not in line_before(text, "    retries: int")


def test_overloads_are_noted() -> None:
    line = "    verify = async_method(Verifier.verify)"
    assert line_before(face("lookup", "Verifier"), line) == "# overloads: type checkers see the first only"


def test_a_decorator_that_is_not_known_is_noted() -> None:
    line = "    noted = async_method(HalfMigrated.noted)"
    noted = "# decorated by @logged: type checkers see what that makes of it"
    assert line_before(face("migrated", "HalfMigrated"), line) == noted


@pytest.mark.parametrize(
    "line",
    [
        "    itself = async_method(Broker.itself)",
        "    again = async_method(Broker.again)",
        "    of = async_method(Broker.of)",
        "    batch = async_method(Broker.batch)",
        "    all = staticmethod(bridge(Broker.all))",
        "    connect = staticmethod(bridge(Broker.connect))",
        "    other: Broker | None",
        "    later: Callable[..., Coroutine[Any, Any, Broker]]",
    ],
)
def test_what_gives_the_wrapper_itself_is_noted(line: str) -> None:
    noted = "# gives a Broker itself, which blocks: AsyncBroker(...) around it"
    assert line_before(face("given", "Broker"), line) == noted


@pytest.mark.parametrize(
    "line",
    [
        "    session = async_method(Broker.session)",
        "    sessions = async_method(Broker.sessions)",
        "    smtp: SMTP",
        "    kept: Any",
        "    status = async_method(Broker.status)",
    ],
)
def test_what_gives_a_session_is_noted(line: str) -> None:
    noted = "# gives an smtplib.SMTP, which blocks: bridge(...) around it"
    assert line_before(face("given", "Broker"), line) == noted


def test_what_gives_a_session_of_a_class_of_the_projects_is_noted() -> None:
    line = "    corp = async_method(Broker.corp)"
    assert line_before(face("given", "Broker"), line) == "# gives a CorpSMTP, which blocks: bridge(...) around it"


def test_what_takes_a_session_or_makes_one_later_is_not() -> None:
    text = face("given", "Broker")
    for line in ("    use = async_method(Broker.use)", "    connects: Callable[[], SMTP]", "    kind: type[SMTP]"):
        assert "gives" not in line_before(text, line)
    assert "gives" not in line_before(text, "    made = async_method.factory(Broker.made)")


def test_what_gives_a_base_of_the_wrapper_is_no_face_of_the_wrapper() -> None:
    line = "    of = async_method(Desk.of)"
    assert line_before(face("given", "Desk"), line) == "# gives a Broker, which blocks: bridge(...) around it"


def test_what_python_calls_by_itself_is_listed_at_the_end() -> None:
    listed = "    # a face has no __call__, __len__, __getitem__; bridge(...) has __call__, __len__\n"
    assert face("given", "Broker").endswith(f"\n\n{listed}")
    assert face("given", "Desk").endswith(f"\n\n{listed}")
    assert "a face has no" not in face("sessions", "Session")


def test_another_name_of_a_method_of_a_generic_class_is_declared_by_the_first() -> None:
    text = face("generic", "Archive")
    assert "    add = async_method(Archive.put)\n" in text
    assert "    enter = async_method(Archive._enter)\n" in text


def test_another_name_of_a_method_that_was_defined_anew_is_not(tmp_path: Path) -> None:
    source = """
from typing import Generic, TypeVar
T = TypeVar("T")
class CorpMailer(Generic[T]):
    def send(self): ...
    send_before = send
    def send(self): ...
"""
    assert "send_before = async_method(CorpMailer.send_before)" in written(tmp_path, source)


def test_a_property_that_talks_to_the_server_is_awaited_and_another_is_not() -> None:
    text = face("sessions", "Session")
    assert "    status = async_method(Session.status)\n" in text
    assert "    encoding: str\n" in text


def test_any_property_is_awaited_if_it_is_named() -> None:
    text = face("sessions", "Session", awaitable=("encoding",))
    assert "    encoding = async_method(Session.encoding)\n" in text
    assert "corp.sessions:Session --awaitable encoding\n" in text


def test_a_property_that_is_not_there_cannot_be_awaited() -> None:
    with pytest.raises(FacadeError, match=r"no property 'sttus' to be awaited; its properties are status, ext"):
        face("sessions", "Session", awaitable=("sttus",))


def test_members_that_are_added_when_the_program_runs_are_declared_by_their_types() -> None:
    text = face("odd", "Added")
    assert "    send_later: Callable[..., Coroutine[Any, Any, Any]]\n" in text
    assert "# not in the source of the class" in text
    assert "send_later" not in face("odd", "Added", static=True)


def test_a_face_can_have_another_name() -> None:
    text = face("odd", "Added", name="Mailer")
    assert "class Mailer(AsyncBridge[Added]):" in text
    assert "corp.odd:Added --name Mailer\n" in text


def test_a_class_of_sessions_is_refused_and_the_mirror_is_named() -> None:
    for reader in (read, inspected):
        with pytest.raises(FacadeError, match=r"AsyncSMTP\(\.\.\., smtp_class=AnSMTP\)"):
            reader("tests.migrate.facade.corp.refused", "AnSMTP", Sources([Path(__file__).parents[3]]))


def test_a_base_that_is_not_found_is_noted(tmp_path: Path) -> None:
    source = "from elsewhere.mail import Base\nclass CorpMailer(Base):\n    def send(self): ...\n"
    text = written(tmp_path, source)
    assert "    # elsewhere.mail.Base was not found: what it has is not listed\n" in text
    assert "send = async_method(CorpMailer.send)" in text


def test_a_base_is_followed_through_packages_that_pass_it_on(tmp_path: Path) -> None:
    package = tmp_path / "corp_base"
    package.mkdir()
    (package / "__init__.py").write_text("from ._impl import Base as BaseMailer\n")
    (package / "_impl.py").write_text("class Base:\n    def quit(self) -> None: ...\n")
    source = "import corp_base\nclass CorpMailer(corp_base.BaseMailer): ...\n"
    text = written(tmp_path, source)
    assert "    # From corp_base._impl.Base.\n\n    quit = async_method(CorpMailer.quit)\n" in text


def test_bases_count_in_the_order_of_python(tmp_path: Path) -> None:
    source = """
class Root:
    def send(self) -> None: "Root's."
class Left(Root): ...
class Right(Root):
    def send(self) -> None: "Right's."
class CorpMailer(Left, Right): ...
"""
    assert '"""Right\'s."""' in written(tmp_path, source)


def test_nothing_is_imported_to_read_the_source(tmp_path: Path) -> None:
    text = written(tmp_path, "raise SystemExit\nclass CorpMailer:\n    def send(self) -> None: ...\n")
    assert "send = async_method(CorpMailer.send)" in text
    assert "corp_mail" not in sys.modules


@pytest.mark.parametrize(
    "passing_on",
    [
        "from corp_impl import CorpMailer as CorpMailer\n",
        "from corp_impl import CorpMailer\n__all__ = ['CorpMailer']\n",
    ],
)
def test_a_wrapper_is_imported_from_a_module_that_passes_it_on(tmp_path: Path, passing_on: str) -> None:
    (tmp_path / "corp_impl.py").write_text("class CorpMailer:\n    next: 'CorpMailer'\n")
    text = written(tmp_path, passing_on)
    assert "from corp_mail import CorpMailer\n" in text
    assert "    next: CorpMailer\n" in text
    assert "corp_impl" not in text


def test_a_module_that_imports_it_for_itself_is_gone_around(tmp_path: Path) -> None:
    (tmp_path / "corp_impl.py").write_text("class CorpMailer:\n    next: 'CorpMailer'\n")
    text = written(tmp_path, "from corp_impl import CorpMailer\n")
    assert "facade corp_mail:CorpMailer\n" in text
    assert "from corp_impl import CorpMailer\n" in text


def test_a_wrapper_can_have_another_name_where_it_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "corp_impl.py").write_text("class CorpMailer:\n    def send(self) -> None: ...\n")
    text = written(tmp_path, "from corp_impl import CorpMailer as Mailer\n", "Mailer")
    assert "from corp_mail import Mailer\n" in text
    assert "    send = async_method(Mailer.send)\n" in text


def test_several_names_that_are_given_at_once_are_all_there(tmp_path: Path) -> None:
    source = "class CorpMailer:\n    a, b = 1, 'x'\n    def __init__(self, c: int):\n        self.c, self.d = c, None\n"
    text = written(tmp_path, source)
    assert "    a: int\n    b: str\n    c: int\n    # not annotated\n    d: Any\n" in text


def test_a_long_list_of_imports_is_laid_out_over_lines(tmp_path: Path) -> None:
    names = [f"AType{number}" for number in range(12)]
    classes = "".join(f"class {name}: ...\n" for name in names)
    attributes = "".join(f"    {name.lower()}: {name}\n" for name in names)
    text = written(tmp_path, f"{classes}class CorpMailer:\n{attributes}")
    assert "from corp_mail import (\n    AType0,\n" in text
    ast.parse(text)


def test_what_stands_in_a_docstring_stays_text(tmp_path: Path) -> None:
    docs = ['ends in "quotes"', 'has """ in it', "a \\\\ backslash", '"quoted"', "ends in a backslash \\\\"]
    methods = "".join(f"    def m{number}(self): {doc!r}\n" for number, doc in enumerate(docs))
    tree = ast.parse(written(tmp_path, f"class CorpMailer:\n{methods}"))
    (kind,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    said = [
        node.value.value for node in kind.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    assert [str(each).strip() for each in said[1:]] == [doc.replace('"""', "'''") for doc in docs]


def test_the_page_of_the_documentation_shows_what_is_written(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "facade.md").read_text(encoding="utf-8")
    wrapper, shown, _ = (block.split("```")[0] for block in page.split("```python\n")[1:])
    (tmp_path / "corp").mkdir()
    (tmp_path / "corp" / "mail.py").write_text(wrapper)
    assert face_of(read("corp.mail", "CorpMailer", Sources([tmp_path]))) == shown
