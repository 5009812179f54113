"""How a Python file is read, and how it refuses to be."""

from __future__ import annotations

import ast
import os
import warnings
from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate.findings import Unread
from asyncsmtp_bridge.migrate.sources import Source, read

from .conftest import HARMLESS, Write


def read_one(path: Path) -> Source:
    found = read([path])
    assert found.unread == ()
    (source,) = found.sources
    return source


def refused(path: Path) -> Unread:
    found = read([path])
    assert found.sources == ()
    (unread,) = found.unread
    return unread


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_stay_and_lines_are_counted(write: Write, end: str) -> None:
    source = read_one(write("m.py", end.join(["x = 1", "def f():", "    pass", ""])))
    assert source.newline == end
    assert source.lines == ["x = 1", "def f():", "    pass", ""]
    assert source.tree.body[1].lineno == 2


def test_where_line_ends_differ_most_of_them_count_and_all_stay(write: Write) -> None:
    source = read_one(write("m.py", "a = 1\r\nb = 2\nc = 3\r\n"))
    assert source.newline == "\r\n"
    assert source.text == "a = 1\r\nb = 2\nc = 3\r\n"


def test_a_form_feed_ends_no_line(write: Write) -> None:
    source = read_one(write("m.py", "a = 1\n\x0c\nb = '\x0c\x1c\u2028'\nc = 3\n"))
    assert source.lines[source.tree.body[2].lineno - 1] == "c = 3"


@pytest.mark.parametrize(
    ("content", "encoding", "bom"),
    [
        ("x = 'grün'\n".encode(), "utf-8", False),
        (b"\xef\xbb\xbf" + "x = 'grün'\r\n".encode(), "utf-8", True),
        ("# -*- coding: latin-1 -*-\nx = 'grün'\n".encode("latin-1"), "iso-8859-1", False),
        ("#!/usr/bin/python\r# vim: set fileencoding=cp1252 :\rx = 'grün €'\r".encode("cp1252"), "cp1252", False),
        (b"", "utf-8", False),
    ],
)
def test_what_is_read_can_be_written_back_byte_for_byte(write: Write, content: bytes, encoding: str, bom: bool) -> None:
    source = read_one(write("m.py", content))
    assert (source.encoding, source.bom) == (encoding, bom)
    assert source.encoded(source.text) == content
    assert not source.text.startswith("\ufeff")


def test_what_python_warns_of_in_the_source_is_not_shown(write: Write) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        read_one(write("m.py", "x = '\\d'\nx is 1\nassert (x, 'always')\n"))
    assert seen == []


def test_the_tree_is_what_python_parses(write: Write) -> None:
    assert ast.dump(read_one(write("m.py")).tree) == ast.dump(ast.parse(HARMLESS))


# Files that cannot be understood.


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"x = 1\ndef f(:\n", 2, "syntax error for Python"),
        (b"if x:\n\ty\n        z\n", 3, "inconsistent use of tabs and spaces"),
        (b"x = 1\nprint 'hello'\n", 2, "(Python 2?)"),
        (b"try:\n    pass\nexcept IOError, error:\n    print error\n", 3, "(Python 2?)"),
        (b"# coding: klingon\n", 1, "unknown encoding: klingon"),
        (b"# coding: hex\n", 1, "not a text encoding"),
        (b"x = 1\ny = '\xe9'\n", 2, "is not utf-8: byte 0xe9; in another encoding it needs a declaration"),
        (b"x = 1\r\ry = 2\r# \xe9\r", 4, "is not utf-8: byte 0xe9"),
        (b"# coding: ascii\n\n# \xe9\n", 3, "is not ascii: byte 0xe9"),
        (b"\xef\xbb\xbf# coding: latin-1\n", 1, "byte order mark"),
        (b"x = 1\ny = '\0'\n", 2, "holds NUL bytes"),
        ("x = 1\n".encode("utf-16"), 1, "as UTF-16"),
        (b"\n\nx = " + b" + ".join([b"y"] * 300), 3, "nested too deeply"),
        (b"x = " + b"-" * 50_000 + b"1", None, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named_with_line_and_reason(
    write: Write, content: bytes, line: int | None, reason: str
) -> None:
    path = write("m.py", content)
    unread = refused(path)
    assert unread.path == Path("m.py")
    assert reason in unread.reason
    assert unread.line == line


def test_python_3_with_an_error_is_not_taken_for_python_2(write: Write) -> None:
    assert "Python 2?" not in refused(write("m.py", "print('hello'\n")).reason


def test_the_rest_goes_on_after_a_file_that_cannot_be_understood(write: Write) -> None:
    write("a.py")
    write("b.py", "def f(:\n")
    write("c.py")
    found = read([Path()])
    assert [source.path.name for source in found.sources] == ["a.py", "c.py"]
    assert [unread.path.name for unread in found.unread] == ["b.py"]


def test_a_path_that_does_not_exist_is_named(project: Path) -> None:
    assert refused(Path("missing.py")).reason == "cannot be read: No such file or directory"


def test_links_that_lead_nowhere_are_named(project: Path) -> None:
    os.symlink("loop.py", "loop.py")
    os.symlink("nowhere", "gone.py")
    found = read([project])
    assert [(each.path.name, each.reason) for each in found.unread] == [
        ("gone.py", "cannot be read: No such file or directory"),
        ("loop.py", "cannot be read: Too many levels of symbolic links"),
    ]


def test_a_pipe_is_not_waited_for(project: Path) -> None:
    os.mkfifo("pipe.py")
    assert refused(Path("pipe.py")).reason == "is not a regular file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_or_listed_is_named(write: Write) -> None:
    write("a.py").chmod(0)
    folder = write("b/c.py").parent
    folder.chmod(0)
    try:
        assert {str(each) for each in read([Path()]).unread} == {
            "a.py: cannot be read: Permission denied",
            "b: cannot be listed: Permission denied",
        }
    finally:
        folder.chmod(0o700)
