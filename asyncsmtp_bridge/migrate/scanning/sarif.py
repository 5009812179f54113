"""A scan as SARIF 2.1.0, the format in which code scanning takes results.

Owns the document and the ids of the rules. Section numbers are those of the OASIS standard.
"""

from __future__ import annotations

import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..findings import Finding, Place, Scan, Unread
from .baseline import Comparison
from .reports import from_folder

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

SMTPLIB_IN_ASYNC, BLOCKING_CALL_IN_ASYNC = "smtplib-in-async", "blocking-call-in-async"

RULES: dict[str, tuple[str, str, str]] = {
    SMTPLIB_IN_ASYNC: (
        "SmtplibInAsync",
        "smtplib is called on the event loop.",
        "The call waits for a mail server, and every other task waits with it. asyncsmtp_bridge.AsyncSMTP has the same "
        "methods, to be awaited.",
    ),
    BLOCKING_CALL_IN_ASYNC: (
        "BlockingCallInAsync",
        "A function that comes to smtplib is called on the event loop.",
        "The function waits for a mail server, and every other task waits with it. asyncsmtp_bridge.bridge makes it "
        "awaitable as it is.",
    ),
}


def as_sarif(scan: Scan, comparison: Comparison | None, exit_status: int, repository: Path | None = None) -> str:
    """Return a SARIF log with one run.

    Args:
        scan: What was found.
        comparison: What of it is known; None: there is no baseline.
        exit_status: With which the process is going to end.
        repository: The folder that files are named from; None: the current one.
    """
    states = [None] * len(scan.findings) if comparison is None else comparison.known
    run = {
        "tool": {"driver": _driver()},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not scan.unread,
                "exitCode": exit_status,
                "toolExecutionNotifications": [_notification(each, repository) for each in scan.unread],
            }
        ],
        "results": [_result(finding, known, repository) for finding, known in zip(scan.findings, states, strict=True)],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _driver() -> dict[str, Any]:
    try:
        version = {"version": metadata.version("asyncsmtp_bridge")}
    except metadata.PackageNotFoundError:
        version = {}
    rules = [
        {
            "id": identity,
            "name": name,
            "shortDescription": {"text": short},
            "fullDescription": {"text": full},
            "help": {"text": full},
            "defaultConfiguration": {"level": "error"},
        }
        for identity, (name, short, full) in RULES.items()
    ]
    return {"name": "asyncsmtp-bridge scan", **version, "rules": rules}


def _result(finding: Finding, known: bool | None, repository: Path | None) -> dict[str, Any]:
    rule = BLOCKING_CALL_IN_ASYNC if finding.trace else SMTPLIB_IN_ASYNC
    state = {} if known is None else {"baselineState": "unchanged" if known else "new"}
    location = _location(finding.place, finding.does, repository)
    location["physicalLocation"]["region"] |= {"endLine": finding.end_line, "endColumn": finding.end_column}
    steps = [_location(each, f"in {each.function}", repository) for each in finding.trace]
    flow = {"threadFlows": [{"locations": [{"location": step} for step in (location, *steps)]}]}
    return {
        "ruleId": rule,
        "ruleIndex": list(RULES).index(rule),
        "level": "error",
        "message": {"text": f"{finding.place.function} {finding.does}. To mend it: {finding.mend}"},
        "locations": [location],
        **({"codeFlows": [flow]} if steps else {}),
        "partialFingerprints": {"asyncsmtpBridge/v1": finding.fingerprint},
        "properties": {"way": finding.way.value},
        **state,
    }


def _location(place: Place, message: str, repository: Path | None) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(place.path, repository)},
            "region": {"startLine": place.line, "startColumn": place.column},
        },
        "logicalLocations": [{"fullyQualifiedName": place.function, "kind": "function"}],
        "message": {"text": message},
    }


def _notification(unread: Unread, repository: Path | None) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(unread.path, repository)}}
    if unread.line is not None:
        physical["region"] = {"startLine": unread.line}
    return {
        "level": "error",
        "message": {"text": f"Not scanned: {unread.reason}"},
        "locations": [{"physicalLocation": physical}],
    }


def _uri(path: Path, repository: Path | None) -> str:
    """Return a relative reference (3.4.4), or an absolute URI for a file elsewhere.

    File names are bytes, and are escaped as such.
    """
    shown = from_folder(path, repository)
    return ("file://" if shown.is_absolute() else "") + quote(os.fsencode(shown.as_posix()))
