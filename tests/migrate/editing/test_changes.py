"""Changes: diffs that patch and git take, and files that are replaced as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate.editing.changes import Change, Unwritten, changes
from asyncsmtp_bridge.migrate.editing.edits import Edits, Import, Left, Plan, Span
from asyncsmtp_bridge.migrate.findings import Place
from asyncsmtp_bridge.migrate.sources import Source, read

from .marked import awaiting

BEFORE = "async def f():\n    send()\n\n\nx = 1\n"
AWAITED = Edits(awaited=frozenset({Span(2, 4, 2, 10)}))


def source_of(path: Path, data: bytes) -> Source:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    [source] = read([path]).sources
    return source


def change_of(path: Path, data: bytes = BEFORE.encode()) -> Change:
    source = source_of(path, data)
    [change] = changes(Plan({source.path: awaiting(source.text)}, ()), [source]).changed
    return change


FILES = {
    "mail.py": BEFORE.encode(),
    "corp/mail.py": BEFORE.encode(),
    "crlf.py": BEFORE.replace("\n", "\r\n").encode(),
    "mixed.py": BEFORE.replace("send()\n", "send()\r\n").encode(),
    "no_newline.py": b"async def f():\n    send()",
    "bom.py": b"\xef\xbb\xbf" + BEFORE.encode(),
    "latin.py": b"# coding: latin-1\n# \xe9\n" + BEFORE.encode(),
    "with space.py": BEFORE.encode(),
    "wörter.py": "async def f():\n    send()  # ü\x0c\u2028\n".encode(),
}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["git", "apply"], marks=pytest.mark.skipif(not shutil.which("git"), reason="no git here")),
        pytest.param(
            ["patch", "-p1", "--binary"], marks=pytest.mark.skipif(not shutil.which("patch"), reason="no patch here")
        ),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("name", FILES)
def test_a_diff_can_be_applied(name: str, command: list[str], project: Path):
    change = change_of(project / name, FILES[name])
    diff = change.diff(project).encode(change.source.encoding)
    subprocess.run(command, input=diff, check=True, cwd=project, capture_output=True)
    assert (project / name).read_bytes() == change.source.encoded(change.text)
    assert (project / name).read_bytes() != FILES[name]


def test_a_diff_names_the_file_from_the_folder_and_only_lines_that_differ(project: Path):
    assert change_of(project / "corp" / "mail.py").diff(project) == (
        "--- a/corp/mail.py\n+++ b/corp/mail.py\n@@ -1,5 +1,5 @@\n"
        " async def f():\n-    send()\n+    await send()\n \n \n x = 1\n"
    )


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_written_in_its_encoding_with_its_line_ends(name: str, project: Path):
    change_of(project / name, FILES[name]).write()
    assert (project / name).read_bytes() == FILES[name].replace(b"send", b"await send")


@pytest.mark.skipif(sys.platform == "win32", reason="no permissions there")
@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600, 0o444])
def test_a_file_keeps_its_permissions(mode: int, project: Path):
    change = change_of(project / "mail.py")
    os.chmod(project / "mail.py", mode)
    change.write()
    assert stat.S_IMODE(os.stat(project / "mail.py").st_mode) == mode
    assert (project / "mail.py").read_text() == change.text


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_what_a_link_leads_to_is_written(project: Path):
    (project / "real").mkdir()
    (project / "real" / "mail.py").write_text(BEFORE)
    (project / "mail.py").symlink_to("real/mail.py")
    [source] = read([Path("mail.py")]).sources
    change = Change(source, BEFORE.replace("send", "await send"), 1)
    change.write()
    assert (project / "mail.py").is_symlink()
    assert (project / "real" / "mail.py").read_text() == change.text


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_what_a_link_leads_to_is_named(project: Path):
    (project / "real").mkdir()
    (project / "real" / "mail.py").write_text(BEFORE)
    (project / "mail.py").symlink_to("real/mail.py")
    sources = read([Path("mail.py")]).sources
    late = Left(Place(Path("mail.py"), 2, 5, "f"), "send()", "is used in a lambda")
    made = changes(Plan({Path("mail.py"): AWAITED}, (late,)), sources)
    assert [change.path for change in made.changed] == [Path("real/mail.py")]
    assert [left.place.path for left in made.left] == [Path("real/mail.py")]
    assert made.changed[0].diff(made.folder).startswith("--- a/real/mail.py\n+++ b/real/mail.py\n")


def test_a_file_that_has_changed_meanwhile_is_left(project: Path):
    change = change_of(project / "mail.py")
    (project / "mail.py").write_text(BEFORE + "y = 2\n")
    with pytest.raises(Unwritten, match="has changed since it was read"):
        change.write()
    assert (project / "mail.py").read_text() == BEFORE + "y = 2\n"
    assert os.listdir(project) == ["mail.py"]


def test_a_file_that_is_gone_meanwhile_is_not_made_again(project: Path):
    change = change_of(project / "mail.py")
    (project / "mail.py").unlink()
    with pytest.raises(Unwritten, match="cannot be written: No such file"):
        change.write()
    assert os.listdir(project) == []


@pytest.mark.skipif(sys.platform == "win32", reason="names may be as long there")
def test_a_file_that_cannot_be_replaced_stays_and_nothing_is_left_beside_it(project: Path):
    name = "m" * 252 + ".py"  # the longest that there is; a temporary file's name would be longer
    change = change_of(project / name)
    with pytest.raises(Unwritten, match="cannot be written"):
        change.write()
    assert os.listdir(project) == [name]
    assert (project / name).read_text() == BEFORE


# From a plan.


def test_a_file_without_edits_is_no_change(project: Path):
    source = source_of(project / "mail.py", BEFORE.encode())
    made = changes(Plan({}, ()), [source])
    assert (made.changed, made.left) == ([], [])


def test_a_file_in_which_everything_is_done_already_is_no_change(project: Path):
    source = source_of(project / "mail.py", b"from asyncsmtp_bridge import bridge\n")
    edits = Edits(imports=(Import("asyncsmtp_bridge", "bridge"),))
    assert changes(Plan({source.path: edits}, ()), [source]).changed == []


def test_a_file_that_cannot_be_edited_is_left_with_the_reason_among_the_others(project: Path):
    sources = [
        source_of(project / name, text.encode())
        for name, text in {"a.py": BEFORE, "b.py": "x = 1\n\x0cdef f(): pass\n", "c.py": BEFORE}.items()
    ]
    late = Left(Place(Path("c.py"), 2, 5, "f"), "send()", "is used in a lambda")
    edits = dict.fromkeys([Path("a.py"), Path("c.py")], AWAITED)
    edits[Path("b.py")] = Edits(imports=(Import("asyncsmtp_bridge", "bridge"),))
    made = changes(Plan(edits, (late,)), sources)
    assert [change.path.name for change in made.changed] == ["a.py", "c.py"]
    assert [left.place.path.name for left in made.left] == ["b.py", "c.py"]
    assert made.left[0].place.line == 2
    assert made.left[0].reason.startswith("the file cannot be edited: LibCST does not keep it as it is: a form feed")


def test_a_file_whose_encoding_lacks_a_character_of_the_edits_is_left(project: Path):
    source = source_of(project / "mail.py", b"# coding: ascii\nasync def f():\n    send()\n")
    edits = Edits(replaced={Span(3, 4, 3, 8): "verschicke_für"})
    [left] = changes(Plan({source.path: edits}, ()), [source]).left
    assert left.reason == "the file cannot be edited: ascii has not all characters of the edits"


def test_packages_that_are_read_are_the_projects_own(project: Path):
    for name in ("corp/__init__.py", "corp/mail.py"):
        source_of(project / name, b"from corp import x\n")
    sources = read([Path("corp")]).sources
    edits = Edits(imports=(Import("asyncsmtp_bridge", "bridge"),))
    [change] = changes(Plan({Path("corp/mail.py"): edits}, ()), sources).changed
    assert change.text == "from asyncsmtp_bridge import bridge\n\nfrom corp import x\n"


def test_lines_are_counted_and_bridges_but_not_imports():
    edits = Edits(
        awaited=frozenset({Span(1, 0, 1, 9), Span(2, 0, 2, 9)}),
        replaced={Span(1, 0, 1, 4): "x"},
        entered=frozenset({Span(3, 0, 4, 0)}),
        imports=(Import("asyncsmtp_bridge", "bridge"),),
    )
    assert edits.count == 3
