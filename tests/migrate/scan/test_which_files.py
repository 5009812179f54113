"""Which files the paths stand for, and what their modules are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate.sources import read

from .conftest import Write


def paths(*given: str | Path, exclude: tuple[str, ...] = ()) -> list[str]:
    found = read([Path(each) for each in given], exclude)
    assert found.unread == ()
    return [source.path.as_posix() for source in found.sources]


def modules(*given: str) -> dict[str, str]:
    return {source.path.as_posix(): source.module for source in read([Path(each) for each in given]).sources}


def test_a_folder_stands_for_its_python_files_sorted(write: Write) -> None:
    for name in ("b.py", "a/z.py", "a/b/c.py", "c.txt", "d.pyi", "e.pyc"):
        write(name)
    assert paths(".") == ["b.py", "a/z.py", "a/b/c.py"]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden/a.py",
        ".hidden.py",
        "__pycache__/a.py",
        "venv/lib/a.py",
        "node_modules/a.py",
        "lib/site-packages/a.py",
        "build/lib/a.py",
    ],
)
def test_what_is_not_the_projects_source_is_left_out(write: Write, name: str) -> None:
    write("kept.py")
    write(name)
    assert paths(".") == ["kept.py"]


def test_a_virtual_environment_of_any_name_is_left_out(write: Write) -> None:
    write("kept.py")
    write("py311/pyvenv.cfg")
    write("py311/lib/a.py")
    assert paths(".") == ["kept.py"]


def test_a_package_called_build_is_read(write: Write) -> None:
    write("build/__init__.py")
    write("build/steps.py")
    assert paths(".") == ["build/__init__.py", "build/steps.py"]


def test_what_is_named_is_read_whatever_it_is(write: Write) -> None:
    write("venv/a.py")
    write("bin/send-mail")
    write(".hidden.py")
    assert paths("venv", "bin/send-mail", ".hidden.py") == ["venv/a.py", "bin/send-mail", ".hidden.py"]


def test_a_file_that_is_reached_twice_is_read_once(write: Write) -> None:
    write("a/b.py")
    os.symlink("a/b.py", "link.py")
    assert paths("a", "a/b.py", ".", "link.py", "a/../a/b.py") == ["a/b.py"]


def test_links_to_folders_are_not_followed_unless_named(write: Write) -> None:
    write("a/b.py")
    os.symlink("..", "a/up")
    assert paths("a") == ["a/b.py"]
    os.symlink("a", "named")
    assert paths("named") == ["named/b.py"]


def test_a_folder_with_the_name_of_a_file_is_a_folder(write: Write) -> None:
    write("odd.py/a.py")
    assert paths(".") == ["odd.py/a.py"]


def test_absolute_and_relative_paths_are_shown_alike_below_the_current_folder(write: Write, project: Path) -> None:
    path = write("a/b.py")
    assert paths("a") == paths(project / "a") == paths(path) == paths("./a/../a") == ["a/b.py"]
    assert paths(project) == paths(".") == ["a/b.py"]


def test_a_path_through_a_link_to_the_current_folder_is_below_it(
    write: Write, tmp_path_factory: pytest.TempPathFactory, project: Path
) -> None:
    write("a/b.py")
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(project)
    assert paths(link / "a") == ["a/b.py"]


def test_paths_elsewhere_are_shown_as_given(write: Write, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    path = write("a/b.py")
    (project / "here").mkdir()
    monkeypatch.chdir(project / "here")
    assert paths("../a") == ["../a/b.py"]
    assert paths(path) == [path.as_posix()]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("tests", ["a/x.py", "a/migrations/m.py"]),
        ("test_*", ["a/x.py", "a/migrations/m.py", "tests/conftest.py"]),
        ("a/migrations", ["a/x.py", "tests/conftest.py", "tests/test_x.py"]),
        ("./a/migrations/", ["a/x.py", "tests/conftest.py", "tests/test_x.py"]),
        ("*/migrations/*", ["a/x.py", "tests/conftest.py", "tests/test_x.py"]),
        ("**/tests/*", ["a/x.py", "a/migrations/m.py"]),
        ("a/*.py", ["tests/conftest.py", "tests/test_x.py"]),
    ],
)
def test_what_is_excluded_by_name_or_by_path_is_left_out(write: Write, pattern: str, left: list[str]) -> None:
    for name in ("a/x.py", "a/migrations/m.py", "tests/test_x.py", "tests/conftest.py"):
        write(name)
    assert sorted(paths(".", exclude=(pattern,))) == sorted(left)


def test_what_is_excluded_is_left_out_also_where_it_is_named(write: Write) -> None:
    write("a.py")
    write("tests/b.py")
    assert paths("a.py", "tests", "tests/b.py", exclude=("tests",)) == ["a.py"]


def test_folders_above_what_was_given_exclude_nothing(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("tests/project/a.py")
    write("tests/elsewhere/b.py")
    monkeypatch.chdir(path.parent.parent / "elsewhere")
    assert paths(path.parent, exclude=("tests",)) == [path.as_posix()]
    assert paths("../project", exclude=("tests",)) == ["../project/a.py"]


# Modules.


def test_a_module_is_named_by_the_package_around_it(write: Write) -> None:
    for name in ("src/corp/__init__.py", "src/corp/mail/__init__.py", "src/corp/mail/send.py"):
        write(name)
    assert modules(".") == {
        "src/corp/__init__.py": "corp",
        "src/corp/mail/__init__.py": "corp.mail",
        "src/corp/mail/send.py": "corp.mail.send",
    }


def test_a_package_is_named_alike_from_within(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("corp/__init__.py")
    monkeypatch.chdir(write("corp/mail.py").parent)
    assert modules("mail.py", "__init__.py") == {"mail.py": "corp.mail", "__init__.py": "corp"}


def test_without_a_package_a_module_is_named_from_the_folder_that_was_given(write: Write) -> None:
    write("src/app/views.py")
    assert modules(".") == {"src/app/views.py": "src.app.views"}
    assert modules("src") == {"src/app/views.py": "app.views"}
    assert modules("src/app/views.py") == {"src/app/views.py": "views"}
