"""What machines are given: JSON, SARIF, and annotations of GitHub's workflows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge.migrate.findings import Place, Scan, Unread, Way
from asyncsmtp_bridge.migrate.scanning.baseline import Comparison, Entry
from asyncsmtp_bridge.migrate.scanning.reports import as_annotations, as_json
from asyncsmtp_bridge.migrate.scanning.sarif import as_sarif

from .conftest import finding

DIRECT = finding()
THROUGH = finding(
    "app/views.py",
    line=20,
    end_line=22,
    way=Way.BRIDGE,
    mend="await bridge(send)(\n    message)",
    trace=(Place(Path("lib/mail.py"), 5, 10, "send"), Place(Path("lib/smtp.py"), 8, 3, "Session.open")),
)
UNREAD = (Unread(Path("old.py"), "syntax error", 3), Unread(Path("gone.py"), "cannot be read"))
SCAN = Scan((DIRECT, THROUGH), UNREAD, 41)
NOTHING_KNOWN = Comparison((False, False))


def test_json_has_every_finding_in_full() -> None:
    document = json.loads(as_json(SCAN, Comparison((False, True), (Entry("a.py", "f", "x()", "0"),))))
    assert document["findings"][1] == {
        "path": "app/views.py",
        "line": 20,
        "column": 12,
        "end_line": 22,
        "end_column": 30,
        "function": "greet",
        "source": "smtp = smtplib.SMTP(host)",
        "does": "connects",
        "way": "bridge",
        "mend": "await bridge(send)(\n    message)",
        "trace": [
            {"path": "lib/mail.py", "line": 5, "column": 10, "function": "send"},
            {"path": "lib/smtp.py", "line": 8, "column": 3, "function": "Session.open"},
        ],
        "fingerprint": THROUGH.fingerprint,
        "known": True,
    }
    assert document["unread"] == [
        {"path": "old.py", "line": 3, "reason": "syntax error"},
        {"path": "gone.py", "line": None, "reason": "cannot be read"},
    ]
    assert document["files"] == 41
    assert document["totals"] == {
        "findings": 2,
        "new": 1,
        "known": 1,
        "mended": 1,
        "ways": {"bridge": 1, "mirror": 1, "mailer": 0},
    }


# GitHub.


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command, taken apart as the runner takes it apart."""
    found = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
    assert found is not None
    properties = dict(each.split("=", 1) for each in found[2].split(","))

    def unescaped(text: str) -> str:
        for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(code, character)
        return text

    return found[1], {key: unescaped(value) for key, value in properties.items()}, unescaped(found[3])


def test_an_annotation_stands_at_the_call_and_says_how_to_mend_it() -> None:
    command, properties, message = parsed(next(as_annotations(SCAN, NOTHING_KNOWN)))
    assert command == "error"
    assert properties == {
        "file": "app/mail.py",
        "line": "7",
        "endLine": "7",
        "col": "12",
        "endColumn": "30",
        "title": "A call blocks the event loop",
    }
    assert message == "app/mail.py:7:12: in greet: connects\nmirror: smtp = await AsyncSMTP(host)"


def test_an_annotation_of_several_lines_has_no_columns_and_the_way_to_smtplib() -> None:
    _, properties, message = parsed(list(as_annotations(SCAN, NOTHING_KNOWN))[1])
    assert properties.keys() == {"file", "line", "endLine", "title"}
    assert message.splitlines()[-2:] == [
        "reached through lib/mail.py:5:10 in send",
        "reached through lib/smtp.py:8:3 in Session.open",
    ]


def test_what_could_not_be_read_is_a_warning() -> None:
    first, second = list(as_annotations(SCAN, NOTHING_KNOWN))[2:]
    assert parsed(first) == (
        "warning",
        {"file": "old.py", "line": "3", "title": "Not scanned"},
        "old.py:3: syntax error",
    )
    assert parsed(second)[1] == {"file": "gone.py", "title": "Not scanned"}


def test_what_is_known_is_not_annotated() -> None:
    lines = list(as_annotations(SCAN, Comparison((True, True))))
    assert [parsed(line)[0] for line in lines] == ["warning", "warning"]


def test_names_cannot_break_out_of_a_command() -> None:
    name = "a,line=1::b\r\n::error::100%.py"
    (line,) = as_annotations(Scan((finding(name),), (), 1), Comparison((False,)))
    assert "\n" not in line
    assert "\r" not in line
    _, properties, message = parsed(line)
    assert properties["file"] == name
    assert properties["line"] == "7"
    assert message.startswith(f"{name}:7:12: ")


def test_files_are_named_from_the_root_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backend").mkdir()
    monkeypatch.chdir(tmp_path / "backend")
    (line,) = as_annotations(Scan((DIRECT,), (), 1), Comparison((False,)), tmp_path)
    assert parsed(line)[1]["file"] == "backend/app/mail.py"
    document = json.loads(as_sarif(Scan((DIRECT,), (), 1), None, 1, tmp_path))
    (location,) = document["runs"][0]["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "backend/app/mail.py"


# SARIF.


def sarif(scan: Scan = SCAN, comparison: Comparison | None = None, status: int = 1) -> Any:
    return json.loads(as_sarif(scan, comparison, status))


def test_sarif_is_one_run_of_version_2_1_0() -> None:
    document = sarif()
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = document["runs"]
    assert run["tool"]["driver"]["name"] == "asyncsmtp-bridge scan"
    assert run["columnKind"] == "unicodeCodePoints"


def test_each_result_has_a_rule_that_the_driver_declares() -> None:
    (run,) = sarif()["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [result["ruleId"] for result in run["results"]] == ["smtplib-in-async", "blocking-call-in-async"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    for rule in rules:
        assert rule["name"].isalnum()
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["fullDescription"]["text"].endswith(".")
        assert rule["defaultConfiguration"] == {"level": "error"}


def test_a_result_has_place_message_and_fingerprint() -> None:
    result = sarif()["runs"][0]["results"][0]
    assert result["level"] == "error"
    assert result["message"] == {"text": "greet connects. To mend it: smtp = await AsyncSMTP(host)"}
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "app/mail.py"},
        "region": {"startLine": 7, "startColumn": 12, "endLine": 7, "endColumn": 30},
    }
    assert location["logicalLocations"] == [{"fullyQualifiedName": "greet", "kind": "function"}]
    assert result["partialFingerprints"] == {"asyncsmtpBridge/v1": DIRECT.fingerprint}
    assert result["properties"] == {"way": "mirror"}
    assert "codeFlows" not in result


def test_the_way_to_smtplib_is_a_code_flow_that_begins_at_the_call() -> None:
    (flow,) = sarif()["runs"][0]["results"][1]["codeFlows"]
    (thread,) = flow["threadFlows"]
    steps = [each["location"]["physicalLocation"] for each in thread["locations"]]
    assert [(step["artifactLocation"]["uri"], step["region"]["startLine"]) for step in steps] == [
        ("app/views.py", 20),
        ("lib/mail.py", 5),
        ("lib/smtp.py", 8),
    ]


def test_a_baseline_tells_new_from_unchanged() -> None:
    results = sarif(comparison=Comparison((True, False)))["runs"][0]["results"]
    assert [result["baselineState"] for result in results] == ["unchanged", "new"]
    assert "baselineState" not in sarif()["runs"][0]["results"][0]


def test_what_could_not_be_read_is_a_notification_of_an_invocation_that_failed() -> None:
    (invocation,) = sarif()["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == 1
    first, second = invocation["toolExecutionNotifications"]
    assert first == {
        "level": "error",
        "message": {"text": "Not scanned: syntax error"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": "old.py"}, "region": {"startLine": 3}}}],
    }
    assert second["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "gone.py"}}}]


def test_when_all_was_read_the_invocation_has_succeeded() -> None:
    (invocation,) = sarif(Scan((), (), 3), status=0)["runs"][0]["invocations"]
    assert invocation == {"executionSuccessful": True, "exitCode": 0, "toolExecutionNotifications": []}


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü%.py", "a%20b/%C3%BC%25.py"),
        ("a:b.py", "a%3Ab.py"),
        ("#?.py", "%23%3F.py"),
        ("caf\udce9.py", "caf%E9.py"),
        ("../up.py", "../up.py"),
        ("/elsewhere/a b.py", "file:///elsewhere/a%20b.py"),
    ],
)
def test_a_file_name_is_a_uri(path: str, uri: str) -> None:
    (result,) = sarif(Scan((finding(path),), (), 1))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}
