"""What servers might say that is no SMTP: octets drawn by seed, and such that never end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from .playing import Wire

_FEATURES = [
    b"PIPELINING",
    b"SIZE 1000000",
    b"8BITMIME",
    b"AUTH PLAIN LOGIN",
    b"AUTH=CRAM-MD5",
    b"AUTH XOAUTH2",
    b"DSN",
]
_FEATURES += [
    b"STARTTLS",
    b"SMTPUTF8",
    b"SIZE " + b"9" * 5000,
    b"SIZE -1",
    b"SIZE \xb2",
    b"SIZE",
    b"AUTH",
    b"AUTH=",
    b"-",
]
_FEATURES += [b"\xff\xfe", b"", b" ", b"=", b"\0", b"PIPELINING PIPELINING", b"size 5", b"A" * 1000]
_REPLIES = [
    b"250 OK",
    b"250",
    b"251 forward",
    b"354 go on",
    b"334 ",
    b"334 dXNlcg==",
    b"334 !",
    b"334 =",
    b"334 YQ",
    b"235 in",
]
_REPLIES += [b"220 go on", b"221 bye", b"421 closing", b"450 later", b"550 never", b"503 order", b"535 no", b"504 what"]
_REPLIES += [
    b"250-a\r\n250 b",
    b"250-a\r\n550 b",
    b"199 odd",
    b"600 odd",
    b"000",
    b"999 odd",
    b"25O no",
    b"-25 no",
    b"+25 no",
]
_REPLIES += [
    b"hello",
    b"",
    b"2",
    b"25",
    b"250_",
    b"250\t",
    b" 250 OK",
    b"250\0OK",
    b"\xb2\xb2\xb2 OK",
    b"334 \xff\xff",
    b"250-",
]
_JUNK = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\r\n",
    b"\xff",
    b"-",
    b" ",
    b"250-",
    b"421",
    b"\r\n.\r\n",
    b"x" * 9000,
    b"250-x\r\n" * 600,
]
_JUNK += [b"\x16\x03\x03\x00\x05hello", b"\x15\x03\x03\x00\x02\x02\x28"]


def reply(chance: random.Random) -> bytes:
    """Draw what is perhaps a reply."""
    kind = chance.random()
    if kind < 0.8:
        return chance.choice(_REPLIES) + b"\r\n"
    if kind < 0.9:
        return b"".join(b"250-" + chance.choice(_FEATURES) + b"\r\n" for _ in range(3)) + b"250 end\r\n"
    return chance.randbytes(chance.randrange(20)) + chance.choice([b"\r\n", b"\n", b""])


def greeting(chance: random.Random) -> bytes:
    """Draw the beginning of a session as it may be, mostly."""
    features = chance.sample(_FEATURES[:9], 6) + chance.choices(_FEATURES, k=2)
    lines = b"".join(b"250-" + each + b"\r\n" for each in features)
    return b"220 mx\r\n250-mx\r\n" + lines + b"250 HELP\r\n"


def conversation(chance: random.Random, replies: list[bytes]) -> bytes:
    """Draw all that a server says: mostly these replies, changed at some places."""
    kind = chance.random()
    if kind < 0.1:
        return chance.randbytes(chance.randrange(200))
    said = greeting(chance) if kind < 0.9 else b""
    said += b"".join(reply(chance) if chance.random() < 0.25 else each for each in replies)
    for _ in range(chance.choice([0, 0, 1, 1, 2, 5])):
        said = changed(chance, said)
    return said


def changed(chance: random.Random, octets: bytes) -> bytes:
    """Change octets at one place."""
    start = chance.randrange(len(octets) + 1)
    end = min(len(octets), start + chance.randrange(1, 12))
    match chance.randrange(6):
        case 0:
            return octets[:start]
        case 1:
            return octets[:start] + octets[end:]
        case 2:
            return octets[:start] + chance.choice(_JUNK) + octets[start:]
        case 3:
            return octets[:end] + octets[start:]
        case 4:
            return octets[:start] + chance.randbytes(end - start) + octets[end:]
    return octets[:start] + chance.choice(_JUNK) + octets[end:]


ENDLESS: dict[str, bytes] = {
    "lines of a reply": b"250-x\r\n",
    "long lines of a reply": b"250-" + b"x" * 8000 + b"\r\n",
    "a line": b"x",
    "the line of a reply": b"250 " * 16,
    "NULs": b"\0" * 64,
    "carriage returns": b"250 OK\r",
    "line feeds": b"\n",
    "lines without a code": b"hello\r\n",
    "challenges": b"334 \r\n",
    "refusals": b"550 no\r\n",
    "acceptance": b"250 OK\r\n",
    "wishes for a content": b"354 go on\r\n",
}


class Clock:
    """A time that passes as it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class EndlessWire(Wire):
    """A wire to somebody who begins properly, and never comes to an end.

    Args:
        beginning: What is said first.
        pattern: What is said then, again and again.
        at_once: Octets that come in at once.
        clock: The time.
        pace: Seconds that it takes until they have come.
    """

    def __init__(
        self, beginning: bytes, pattern: bytes, at_once: int = 1 << 20, clock: Clock | None = None, pace: float = 0
    ) -> None:
        super().__init__(len, bytearray(beginning), lambda: "")
        self._pattern, self._at_once = pattern, at_once
        self._clock, self._pace = clock or Clock(), pace
        self._sends = 0
        self._stream = self._flow()

    def _flow(self) -> Iterator[int]:
        while True:
            yield from self._pattern

    def recv(self, limit: int) -> bytes:
        if self._timeout is not None and self._pace > self._timeout:
            self._clock.now += self._timeout
            raise TimeoutError("timed out")
        self._clock.now += self._pace
        limit = min(limit, self._at_once)
        if self.read < len(self._said):
            read = bytes(self._said[self.read : self.read + limit])
        elif self._at_once == 1:
            read = bytes([next(self._stream)])
        else:
            read = (self._pattern * (limit // len(self._pattern) + 1))[:limit]
        self.read += len(read)
        assert self.read < 30_000_000, "it reads and reads"
        return read

    def send(self, octets: bytes) -> int:
        self._sends += 1
        assert self._sends < 1000, "it sends and sends"
        return len(octets)


def spoken(
    octets: bytes, end: str, chance: random.Random, *, hear: Callable[[bytes], int] = len, segments: str | None = None
) -> Wire:
    """Return a wire to somebody who says this, whatever he hears, and ends the connection when it was read."""
    wire: Wire
    wire = Wire(
        hear,
        bytearray(octets),
        lambda: end if wire.read >= len(octets) else "",  # type: ignore[return-value, arg-type]
        segments=segments or chance.choice(["whole", "whole", "pieces", "octets"]),  # type: ignore[arg-type]
        is_swallowing=chance.random() < 0.5,
        seed=chance.randrange(1 << 30),
    )
    return wire
