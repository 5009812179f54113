"""A server that plays a dialogue, and a wire to it within this thread: what is said, heard and known is exact.

Owns the state of an SMTP server (RFC 5321, section 4.1.4), which hears commands one by one or pipelined; and the wire,
which stands where a socket does. The server hears at once what is sent, and who reads what will never come is told so
at once: nothing here depends on time, and no thread takes part. It does not know what a session makes of it.
"""

from __future__ import annotations

import io
import random
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .dialogues import Answer, Dialogue, End, Segments, Step, good

Reply = tuple[int, bytes]

LINES, OCTETS = 512, 8192
"""What a reply, and a line of it, has at most; what is longer is none."""

DOT = b"\r\n.\r\n"
_PATH = re.compile(r"<([^>]*)>")
_SIZE = re.compile(r" SIZE=(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Delivery:
    """A message that the server has kept, or of which it has not said that it was not."""

    number: int
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    """As it came, with its terminator."""
    size: int | None
    """As MAIL had it."""


@dataclass
class Said:
    """Where in what the server has said there is the reply to a step."""

    step: Step
    start: int
    end: int


class Host:
    """A server that answers as a dialogue has it.

    Args:
        dialogue: What it answers.
        is_pipelining: Whether it offers PIPELINING.
        is_lmtp: Whether it speaks LMTP (RFC 2033).
        is_lenient: Whether a MAIL ends a transaction that is open, in place of being refused.
    """

    def __init__(
        self, dialogue: Dialogue, *, is_pipelining: bool = True, is_lmtp: bool = False, is_lenient: bool = False
    ) -> None:
        self.dialogue = dialogue
        self.said = bytearray()
        self.marks: list[Said] = []
        self.end: End = ""
        self.kept: list[Delivery] = []
        """What it has kept for all or some of its recipients."""
        self.whole: dict[int, list[tuple[int, str]]] = {}
        """The messages of which it has heard the whole content, and for whom, each with his index."""
        self.odd: list[str] = []
        """Commands that came where they cannot."""
        self.number = 0
        """Of the message that was named last."""
        self.ended_out_of_place: int | None = None
        """The message in which it ended the connection at a command to which none but a refusal was to be expected."""
        self.in_content = False
        self.unheard = b""
        self._is_pipelining, self._is_lmtp, self._is_lenient = is_pipelining, is_lmtp, is_lenient
        self._is_greeted = self._has_sender = False
        self._size: int | None = None
        self._sender = ""
        self._asked = self._missed = 0
        self.accepted: list[tuple[int, str]] = []
        """The recipients of the transaction, each with its index."""
        self._say(Answer(b"220 mx.example.net\r\n"))

    def hear(self, octets: bytes) -> int:
        """Hear what comes in; return how much of it: less than all, where the connection ends within a content."""
        self.unheard += octets
        while not self.end and (found := self._unit()) is not None:
            self.unheard = self.unheard[len(found) :]
            if self.in_content:
                self._content(found)
            else:
                self._command(found.decode("latin-1").strip())
        if self._missed:
            self._missed, missed = 0, self._missed
            return max(0, len(octets) - missed)
        return len(octets)

    def _unit(self) -> bytes | None:
        if not self.in_content:
            line, end, _ = self.unheard.partition(b"\r\n")
            return line + end if end else None
        heard = self._step("content").heard if self.accepted else None
        at = (b"\r\n" + self.unheard).find(DOT)
        if heard is not None and len(self.unheard) >= heard and (at < 0 or heard < at + 3):
            self.end = self._step("content").end
            self._missed = len(self.unheard) - heard
            self.unheard = self.unheard[:heard]
            return None
        return self.unheard[: at + 3] if at >= 0 else None

    # Saying.

    def _step(self, verb: str, index: int = 0) -> Answer:
        step = Step(verb, self.number if verb in ("MAIL", "RCPT", "DATA", "content") else 0, index)
        return self.dialogue.steps.get(step) or Answer(good(step))

    def _say(self, answer: Answer, step: Step | None = None) -> None:
        if step is not None:
            self.marks.append(Said(step, len(self.said), len(self.said) + len(answer.reply)))
        self.said += answer.reply
        self.end = answer.end

    def _out_of_place(self, answer: Answer) -> Answer:
        if answer.end:
            self.ended_out_of_place = self.number
        return answer

    # Commands.

    def _command(self, line: str) -> None:
        verb = line[:4].upper()
        named = _PATH.search(line)
        path = named[1] if named else ""
        if verb in ("EHLO", "LHLO"):
            self._ehlo()
        elif verb == "HELO":
            answer = self._step("HELO")
            self._is_greeted = self._is_greeted or _code(answer.reply) == 250
            self._say(answer, Step("HELO"))
        elif verb == "MAIL":
            self._mail(path, line)
        elif verb == "RCPT":
            self._rcpt(path)
        elif verb == "DATA":
            self._data()
        elif verb == "RSET":
            self._reset()
            self._say(Answer(b"250 2.0.0 anew\r\n"))
        elif verb == "NOOP":
            self._say(Answer(b"250 in step\r\n"))
        elif verb == "QUIT":
            self._say(Answer(b"221 bye\r\n", "FIN"))
        else:
            self.odd.append(line)
            self._say(Answer(b"500 what?\r\n"))

    def _reset(self) -> None:
        self._has_sender, self.accepted, self._asked = False, [], 0

    def _ehlo(self) -> None:
        offers = self.dialogue.offers
        answer = self.dialogue.steps.get(Step("EHLO"))
        if answer is None and offers is None:
            answer = Answer(b"500 5.5.1 what?\r\n")
        elif answer is None:
            limit = "" if self.dialogue.size_limit is None else f" {self.dialogue.size_limit}"
            lines = ["mx.example.net", *["PIPELINING"] * self._is_pipelining, *(offers or ())]
            lines = [line + limit if line == "SIZE" else line for line in lines]
            last = len(lines) - 1
            made = [f"250{' ' if number == last else '-'}{line}\r\n" for number, line in enumerate(lines)]
            answer = Answer("".join(made).encode())
        self._is_greeted = self._is_greeted or _code(answer.reply) == 250
        self._say(answer, Step("EHLO"))

    def _mail(self, path: str, line: str) -> None:
        self.number = int(path.partition("@")[0][1:])
        if self._has_sender and self._is_lenient:
            self._reset()
        step = Step("MAIL", self.number)
        size = _SIZE.search(line)
        self._size = None if size is None else int(size[1])
        limit = self.dialogue.size_limit
        if not self._is_greeted:
            self._say(Answer(b"503 5.5.1 who are you?\r\n"), step)
        elif self._has_sender:
            self.odd.append(line)
            self._say(Answer(b"503 5.5.1 nested MAIL\r\n"), step)
        elif limit is not None and self._size is not None and self._size > limit:
            self._say(Answer(b"552 5.3.4 too large\r\n"), step)
        else:
            answer = self._step("MAIL")
            self._reset()
            self._has_sender, self._sender = _code(answer.reply) // 100 == 2, path
            self._say(answer, step)

    def _rcpt(self, path: str) -> None:
        index, self._asked = self._asked, self._asked + 1
        answer = self._step("RCPT", index)
        if not self._has_sender:
            answer = self._out_of_place(self.dialogue.without_sender)
        elif _code(answer.reply) // 100 == 2:
            self.accepted.append((index, path))
        self._say(answer, Step("RCPT", self.number, index))

    def _data(self) -> None:
        answer = self._step("DATA") if self.accepted else self._out_of_place(self.dialogue.without_recipients)
        self.in_content = _code(answer.reply) // 100 == 3
        self._say(answer, Step("DATA", self.number))

    def _content(self, content: bytes) -> None:
        self.in_content = False
        accepted, number = self.accepted, self.number
        self._reset()
        if not accepted:
            self._say(Answer(self.dialogue.to_nobody))
            return
        self.whole[number] = accepted
        everybody = [accepted] if not self._is_lmtp else [[each] for each in accepted]
        for these in everybody:
            index = these[0][0] if self._is_lmtp else 0
            answer = self._step("content", index)
            if answer.heard is not None:  # there was less
                answer = Answer(b"", answer.end)
            if answer.is_kept or _code(answer.reply) // 100 == 2:
                recipients = tuple(path for _, path in these)
                self.kept.append(Delivery(number, self._sender, recipients, content, self._size))
            self._say(answer, Step("content", number, index))
            if self.end:
                break


def _code(reply: bytes) -> int:
    return int(reply[:3]) if reply[:3].isdigit() and len(reply) >= 3 else -1


class OutOfStep(AssertionError):
    """A session reads where nothing will ever come, or the end again and again."""


_PATIENCE = 20


class Wire:
    """What stands where a session has its socket, with a host at its other end.

    Args:
        hear: Called with what is sent, returns how much of that was taken.
        said: Grows as the other end speaks.
        end: Returns how the other end has ended the connection, if it has.
        segments: How what is said comes in.
        is_swallowing: Whether what is sent after the end goes nowhere; else it fails.
        seed: Of the segments, where they are pieces.
    """

    family = socket.AF_UNIX

    def __init__(
        self,
        hear: Callable[[bytes], int],
        said: bytearray,
        end: Callable[[], End],
        *,
        segments: Segments = "whole",
        is_swallowing: bool = False,
        seed: int = 0,
    ) -> None:
        self._hear, self._said, self._end = hear, said, end
        self._segments, self._is_swallowing = segments, is_swallowing
        self._chance = random.Random(seed)
        self._timeout: float | None = None
        self._broken: socket.socket | None = None
        self.read = 0
        """So many octets were read from it."""
        self.swallowed = b""
        """What was taken after the end."""
        self.is_closed = False
        self._end_was_read = 0

    # What a socket does.

    def send(self, octets: Any) -> int:
        octets, taken = bytes(octets), 0
        if not self._end():
            taken = self._hear(octets)
        if not self._end():
            return len(octets)
        if self._is_swallowing:
            self.swallowed += octets[taken:]
            return len(octets)
        self._break()
        return taken

    def _break(self) -> None:
        """Let what is sent fail from now on, as a socket lets it fail, in whose send() no Python has a part."""
        if self._broken is None:
            self._broken, other = socket.socketpair()
            other.close()
            self.send, self.sendall = self._broken.send, self._broken.sendall  # type: ignore[method-assign]

    def sendall(self, octets: Any) -> None:
        rest = memoryview(bytes(octets))
        while rest:
            rest = rest[self.send(rest) :]

    def recv(self, limit: int) -> bytes:
        left = len(self._said) - self.read
        if left:
            if self._segments != "whole":
                limit = 1 if self._segments == "octets" else self._chance.randint(1, 12)
            read = bytes(self._said[self.read : self.read + limit])
            self.read += len(read)
            return read
        if self._end_was_read > _PATIENCE or not self._end():
            raise OutOfStep("nothing will ever come")
        self._end_was_read += 1
        if self._end() == "FIN":
            return b""
        raise ConnectionResetError("reset") if self._end() == "RST" else TimeoutError("timed out")

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def close(self) -> None:
        self.is_closed = True
        if self._broken is not None:
            self._broken.close()

    # What is known.

    def read_of(self, said: Said) -> Reply | None:
        """Return the reply that the session has read there; also one of which only the end of its last line is missing.

        Of such a one it is known what it says, when the other end has closed the connection.
        """
        octets = bytes(self._said[said.start : min(said.end, self.read)])
        lines = octets.split(b"\r\n")
        last = lines.pop()
        if last and self._end_was_read and self._end() == "FIN":
            lines.append(last)
        if not lines or not re.match(rb"\d{3}(?!-)", lines[-1]):
            return None
        if len(lines) > LINES or max(map(len, lines)) > OCTETS:
            return None
        return int(lines[-1][:3]), b"\n".join(line[4:].strip() for line in lines)


class _Reader(io.RawIOBase):
    """How smtplib reads from a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read = self._wire.recv(len(buffer))
        buffer[: len(read)] = read
        return len(read)
