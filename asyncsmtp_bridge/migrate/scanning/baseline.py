"""The baseline: findings that a project knows of and lives with for now, in a file.

Owns that file, and which findings of a scan are in it. It does not know how they were found, or what is made of the
difference.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..findings import Finding

VERSION = 1

ABOUT = "Calls that block an event loop and are known. Written by: asyncsmtp-bridge scan --update-baseline"


class BaselineError(ValueError):
    """A baseline that cannot be read or written."""


@dataclass(frozen=True, order=True)
class Entry:
    """A finding that is known, without what changes when lines move.

    Args:
        path: The file, with slashes, as it was shown.
        function: The qualified name of the function around the call.
        source: The line of the source; for the reader only.
        fingerprint: What the finding is recognised by.
        through: The other files on the way from the call to smtplib, sorted: without one of them it is not found.
    """

    path: str
    function: str
    source: str
    fingerprint: str
    through: tuple[str, ...] = ()

    def is_mended(self, files: Collection[str]) -> bool:
        """Whether it is, since no finding matches it, and these files were looked into.

        It is not told by a scan that left out a file in which the way to smtplib may go on.
        """
        if not os.path.lexists(self.path):
            return True
        return all(path in files or not os.path.lexists(path) for path in (self.path, *self.through))

    def as_document(self) -> dict[str, Any]:
        """Return what the file has of it."""
        return {name: value for name, value in asdict(self).items() if value != ()}


@dataclass(frozen=True)
class Comparison:
    """The findings of a scan beside a baseline.

    Args:
        known: For each finding, in their order, whether it is in the baseline.
        mended: Entries that no finding matches, although their files were looked into, or are gone.
    """

    known: tuple[bool, ...]
    mended: tuple[Entry, ...] = ()

    @property
    def new(self) -> int:
        """How many findings are not in the baseline."""
        return len(self.known) - sum(self.known)


@dataclass(frozen=True)
class Baseline:
    """The entries of a baseline; a fingerprint that is there twice stands for two findings."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read the file.

        Raises:
            FileNotFoundError: There is none.
            BaselineError: It cannot be read, or is not a baseline.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BaselineError(f"{path} cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise BaselineError(f"{path} is not a baseline: no JSON: {error}") from error
        try:
            return cls._from_document(document)
        except (TypeError, ValueError) as error:
            raise BaselineError(f"{path} is not a baseline: {error}") from error

    @classmethod
    def _from_document(cls, document: Any) -> Baseline:
        if not isinstance(document, dict) or not isinstance(document.get("findings"), list):
            raise TypeError('it has no list of "findings"')
        if document.get("version") != VERSION:
            raise ValueError(f"of version {document.get('version')!r}; this program writes and reads {VERSION}")
        return cls(tuple(_entry_of(each, number) for number, each in enumerate(document["findings"], 1)))

    def compare(self, findings: Sequence[Finding], looked_into: Iterable[Path]) -> Comparison:
        """Tell which findings are in the baseline, and which of its entries have none.

        Args:
            findings: Of a scan.
            looked_into: The files that were scanned: an entry that leads through another one that exists says nothing.
        """
        left = Counter(entry.fingerprint for entry in self.entries)
        known: list[bool] = []
        for finding in findings:
            known.append(left[finding.fingerprint] > 0)
            left[finding.fingerprint] -= known[-1]
        return Comparison(tuple(known), tuple(self._mended(findings, looked_into)))

    def updated(self, findings: Sequence[Finding], looked_into: Iterable[Path]) -> Baseline:
        """Return the baseline in which these findings are all known, and what is not mended remains."""
        gone = Counter(self._mended(findings, looked_into))
        kept = Counter(self._unmatched(findings)) - gone
        return Baseline(tuple(sorted([*kept.elements(), *map(_entry, findings)])))

    def _mended(self, findings: Sequence[Finding], looked_into: Iterable[Path]) -> Iterator[Entry]:
        files = {path.as_posix() for path in looked_into}
        return (entry for entry in self._unmatched(findings) if entry.is_mended(files))

    def _unmatched(self, findings: Sequence[Finding]) -> Iterator[Entry]:
        found = Counter(finding.fingerprint for finding in findings)
        for entry in self.entries:
            if found[entry.fingerprint] > 0:
                found[entry.fingerprint] -= 1
            else:
                yield entry

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; one that says the same already is left alone.

        Raises:
            BaselineError: It cannot be written.
        """
        target = Path(os.path.realpath(path))
        document = {
            "version": VERSION,
            "about": ABOUT,
            "findings": [each.as_document() for each in sorted(self.entries)],
        }
        # A file name of any bytes has lone surrogates in it; as an escape of Python's each is one of JSON's.
        content = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        try:
            if target.is_file() and target.read_bytes() == content:
                return
            if target.exists() and not target.is_file():
                raise BaselineError(f"{path} cannot be written: it is not a regular file")
            _replace(target, content)
        except OSError as error:
            raise BaselineError(f"{path} cannot be written: {error.strerror}") from error


def moved(findings: Iterable[Finding], mended: Iterable[Entry]) -> Entry | None:
    """Return an entry that looks like one of these findings in a file of the same name elsewhere; None: there is none.

    That is how it looks when files have moved, and when a baseline was made in another folder.
    """
    names = {(finding.place.path.name, finding.place.function, finding.source) for finding in findings}
    for entry in mended:
        if (entry.path.rpartition("/")[2], entry.function, entry.source) in names:
            return entry
    return None


def _entry(finding: Finding) -> Entry:
    place, path = finding.place, finding.place.path.as_posix()
    through = {step.path.as_posix() for step in finding.trace} - {path}
    return Entry(path, place.function, finding.source, finding.fingerprint, tuple(sorted(through)))


def _entry_of(document: Any, number: int) -> Entry:
    fields = ("path", "function", "source", "fingerprint")
    if not isinstance(document, dict) or not all(isinstance(document.get(name), str) for name in fields):
        raise TypeError(f"finding {number} is no object with the texts {', '.join(fields)}")
    through = document.get("through", [])
    if not isinstance(through, list) or not all(isinstance(path, str) for path in through):
        raise TypeError(f'finding {number} has in "through" no list of texts')
    return Entry(**{name: document[name] for name in fields}, through=tuple(through))


def _replace(target: Path, content: bytes) -> None:
    """Put a file in the place of another, or of none, in one step."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        if target.exists():
            fresh.chmod(target.stat().st_mode & 0o7777)
        fresh.replace(target)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise
