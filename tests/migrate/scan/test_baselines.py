"""What a baseline holds, recognises and keeps."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate.findings import Finding, Place
from asyncsmtp_bridge.migrate.scanning.baseline import Baseline, BaselineError, Comparison, moved

from .conftest import Write, finding

MAIL = Path("app/mail.py")
FIRST = finding(line=7)
SECOND = finding(line=9, earlier=(FIRST,))


FAR = finding(trace=tuple(Place(Path(path), 1, 1, "f") for path in ("lib/z.py", "app/mail.py", "lib/a.py", "lib/z.py")))
HELPERS = [Path("lib/a.py"), Path("lib/z.py")]


def made(*findings: Finding) -> Baseline:
    return Baseline().updated(findings, [MAIL])


def test_it_is_the_same_after_it_was_written_and_read(project: Path) -> None:
    baseline = made(FIRST, SECOND, finding("grün/\udce9\n.py", source='send("ü")'))
    baseline.write(Path("b.json"))
    assert Baseline.read(Path("b.json")) == baseline


def test_it_says_where_each_entry_comes_from_without_lines(project: Path) -> None:
    made(FIRST).write(Path("b.json"))
    (entry,) = json.loads(Path("b.json").read_text())["findings"]
    assert entry == {
        "path": "app/mail.py",
        "function": "greet",
        "source": "smtp = smtplib.SMTP(host)",
        "fingerprint": FIRST.fingerprint,
    }


def test_it_says_which_other_files_an_entry_leads_through(project: Path) -> None:
    made(FAR).write(Path("b.json"))
    (entry,) = json.loads(Path("b.json").read_text())["findings"]
    assert entry["through"] == ["lib/a.py", "lib/z.py"]
    assert Baseline.read(Path("b.json")) == made(FAR)


def test_it_is_the_same_when_lines_have_moved_and_in_whatever_order(project: Path) -> None:
    other = finding("app/a.py")
    made(FIRST, SECOND, other).write(Path("b.json"))
    before = Path("b.json").read_bytes()
    place = replace(FIRST.place, line=70)
    made(other, SECOND, replace(FIRST, place=place)).write(Path("b.json"))
    assert Path("b.json").read_bytes() == before


def test_it_can_be_read_by_people(project: Path) -> None:
    made(finding(source='send("Grüße")')).write(Path("b.json"))
    text = Path("b.json").read_text(encoding="utf-8")
    assert "Grüße" in text
    assert text.endswith("}\n")


def test_what_it_has_is_known_and_the_rest_is_new() -> None:
    comparison = made(FIRST).compare([FIRST, SECOND], [MAIL])
    assert comparison.known == (True, False)
    assert comparison.new == 1
    assert comparison.mended == ()


def test_a_fingerprint_counts_as_often_as_it_is_there() -> None:
    comparison = made(FIRST, FIRST).compare([FIRST, FIRST, FIRST], [MAIL])
    assert comparison.known == (True, True, False)


def test_an_entry_without_a_finding_is_mended() -> None:
    comparison = made(FIRST, SECOND).compare([SECOND], [MAIL])
    assert [entry.fingerprint for entry in comparison.mended] == [FIRST.fingerprint]


def test_an_entry_of_a_file_that_is_gone_is_mended(project: Path) -> None:
    assert len(made(FIRST).compare([], []).mended) == 1


def test_an_entry_of_a_file_that_was_not_looked_into_is_not_mended_and_stays(write: Write) -> None:
    write("app/mail.py")
    other = finding("app/other.py")
    assert made(FIRST).compare([other], [Path("app/other.py")]).mended == ()
    updated = made(FIRST).updated([other], [Path("app/other.py")])
    assert [entry.path for entry in updated.entries] == ["app/mail.py", "app/other.py"]


@pytest.mark.parametrize("looked_into", [[MAIL], [MAIL, HELPERS[0]], [MAIL, HELPERS[1]], HELPERS, []])
def test_an_entry_is_not_mended_and_stays_unless_all_files_that_it_leads_through_were_looked_into(
    write: Write, looked_into: list[Path]
) -> None:
    for path in (MAIL, *HELPERS):
        write(path.as_posix())
    assert made(FAR).compare([], looked_into).mended == ()
    assert made(FAR).updated([], looked_into) == made(FAR)


def test_an_entry_is_mended_when_all_files_that_it_leads_through_were_looked_into(write: Write) -> None:
    for path in (MAIL, *HELPERS):
        write(path.as_posix())
    assert made(FAR).compare([], [MAIL, *HELPERS]).mended == made(FAR).entries
    assert made(FAR).updated([], [MAIL, *HELPERS]).entries == ()


def test_an_entry_is_mended_when_a_file_that_it_leads_through_is_gone(write: Write) -> None:
    write("app/mail.py")
    write("lib/a.py")
    assert made(FAR).compare([], [MAIL, Path("lib/a.py")]).mended == made(FAR).entries


def test_an_entry_is_mended_when_its_own_file_is_gone_whatever_was_looked_into(write: Write) -> None:
    for path in HELPERS:
        write(path.as_posix())
    assert made(FAR).compare([], []).mended == made(FAR).entries


def test_a_way_to_smtplib_that_has_changed_is_a_known_finding_and_is_written_anew() -> None:
    nearer = replace(FAR, trace=FAR.trace[2:3])
    assert made(FAR).compare([nearer], [MAIL, *HELPERS]) == Comparison((True,))
    (entry,) = made(FAR).updated([nearer], [MAIL, *HELPERS]).entries
    assert entry.through == ("lib/a.py",)


def test_what_is_mended_is_gone_after_an_update() -> None:
    assert [entry.fingerprint for entry in made(FIRST, SECOND).updated([SECOND], [MAIL]).entries] == [
        SECOND.fingerprint
    ]


def test_findings_of_a_file_that_has_moved_are_recognised_as_such(project: Path) -> None:
    here = finding("mail.py")
    mended = made(FIRST).compare([here], [Path("mail.py")]).mended
    entry = moved([here], mended)
    assert entry is not None
    assert entry.path == "app/mail.py"
    assert moved([finding("mail.py", function="other")], mended) is None


# The file.

ENTRY = (
    b'{"version": 1, "findings": '
    b'[{"path": "a.py", "function": "f", "source": "g()", "fingerprint": "0", "through": %s}]}'
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JSON"),
        (b"<<<<<<< HEAD\n{}", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", 'no list of "findings"'),
        (b'{"findings": {}}', 'no list of "findings"'),
        (b'{"findings": []}', "of version None"),
        (b'{"version": 2, "findings": []}', "of version 2"),
        (b'{"version": 1, "findings": [1]}', "finding 1 "),
        (b'{"version": 1, "findings": [{"path": "a.py"}]}', "finding 1 "),
        (ENTRY % b'"a.py"', 'finding 1 has in "through" no list of texts'),
        (ENTRY % b"[1]", 'finding 1 has in "through" no list of texts'),
    ],
)
def test_what_is_no_baseline_is_refused_with_the_reason(write: Write, content: bytes, reason: str) -> None:
    with pytest.raises(BaselineError, match=r"^b\.json is not a baseline: ") as caught:
        Baseline.read(write("b.json", content).relative_to(Path.cwd()))
    assert reason in str(caught.value)


def test_a_folder_is_no_baseline(project: Path) -> None:
    with pytest.raises(BaselineError, match="cannot be read: Is a directory"):
        Baseline.read(project)
    with pytest.raises(BaselineError, match="cannot be written: it is not a regular file"):
        made(FIRST).write(project)


def test_a_folder_that_is_not_there_is_not_made(project: Path) -> None:
    with pytest.raises(BaselineError, match="cannot be written: No such file or directory"):
        made(FIRST).write(Path("missing/b.json"))


def test_a_link_stays_a_link_and_permissions_stay(write: Write, project: Path) -> None:
    write("real.json").chmod(0o640)
    os.symlink("real.json", "b.json")
    made(FIRST).write(Path("b.json"))
    assert Path("b.json").is_symlink()
    assert Path("real.json").stat().st_mode & 0o777 == 0o640
    assert len(Baseline.read(Path("real.json")).entries) == 1


def test_one_that_says_the_same_is_not_touched(project: Path) -> None:
    made(FIRST).write(Path("b.json"))
    before = Path("b.json").stat()
    made(FIRST).write(Path("b.json"))
    assert (Path("b.json").stat().st_ino, Path("b.json").stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_write_that_fails_leaves_the_old_one_and_nothing_else(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(FIRST).write(Path("b.json"))

    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(BaselineError, match="No space left on device"):
        made(FIRST, SECOND).write(Path("b.json"))
    assert os.listdir() == ["b.json"]
    assert len(Baseline.read(Path("b.json")).entries) == 1
