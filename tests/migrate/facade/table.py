"""The wrappers that faces are written for, and what writes them."""

from __future__ import annotations

import sys
from pathlib import Path

from asyncsmtp_bridge.migrate.facade.facade import face_of
from asyncsmtp_bridge.migrate.facade.inspected import inspected
from asyncsmtp_bridge.migrate.facade.read import read
from asyncsmtp_bridge.migrate.facade.source import Sources

ROOT = Path(__file__).parents[3]
CORP = "tests.migrate.facade.corp"

WRAPPERS = {
    "legacy": "LegacyMailer",
    "outbox": "Outbox",
    "base": "Queue",
    "reminders": "ReminderMailer",
    "reminders_queue": "ListQueue",
    "reminders_sender": "Sender",
    "lookup": "Verifier",
    "lookup_generic": "Directory",
    "lookup_names": "Names",
    "sessions": "Session",
    "migrated": "HalfMigrated",
    "keywords": "Mailer",
    "given": "Broker",
    "given_base": "Desk",
    "generic": "Archive",
    "generic_bound": "TextArchive",
    "odd": "Odd",
    "odd_inner": "Outer.Inner",
}
"""The module of each, after which the module of its face is called, and its name."""


def sources() -> Sources:
    return Sources([ROOT, *(Path(each) for each in sys.path if each)])


def face(module: str, kind: str, *, static: bool = False, name: str = "", awaitable: tuple[str, ...] = ()) -> str:
    """Return the face of a class of tests.migrate.facade.corp."""
    return face_of((read if static else inspected)(f"{CORP}.{module}", kind, sources()), name, awaitable)


def faces() -> dict[str, str]:
    """Return the faces of the table, by the names of their modules."""
    return {each: face(each.partition("_")[0], kind) for each, kind in WRAPPERS.items()}
