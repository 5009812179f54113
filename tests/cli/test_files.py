"""Which files the PATHs stand for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asyncsmtp_bridge.cli.files import select


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.eml", "a.EML", ".hidden.eml", "note.txt", "sub/c.eml", ".hidden/d.eml", "empty/readme"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_a_folder_stands_for_its_eml_files_and_those_of_its_subfolders_sorted_and_not_hidden(tree: Path) -> None:
    assert select([tree]).files == [tree / "a.EML", tree / "b.eml", tree / "sub/c.eml"]


def test_a_file_stands_for_itself_whatever_its_name(tree: Path) -> None:
    files = [tree / "note.txt", tree / ".hidden.eml", tree / "missing"]
    assert select(files).files == files


def test_a_file_named_twice_is_sent_once(tree: Path) -> None:
    (tree / "link.eml").symlink_to(tree / "b.eml")
    files = select([tree / "b.eml", tree, tree / "sub/../b.eml"]).files
    assert [file.name for file in files] == ["b.eml", "a.EML", "c.eml"]


def test_a_folder_without_message_files_is_a_problem(tree: Path) -> None:
    selection = select([tree / "empty", tree / "sub"])
    assert selection.problems == {tree / "empty": "the folder holds no .eml file"}
    assert selection.files == [tree / "sub/c.eml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can list every folder")
def test_a_folder_that_cannot_be_listed_is_a_problem(tree: Path) -> None:
    (tree / "sub").chmod(0)
    try:
        selection = select([tree])
    finally:
        (tree / "sub").chmod(0o700)
    assert selection.problems == {tree / "sub": "cannot be listed: Permission denied"}
    assert selection.files == [tree / "a.EML", tree / "b.eml"]
