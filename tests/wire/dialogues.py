"""Random dialogues: some messages, and what the server answers to each step of each of them.

Owns what is drawn. A step is addressed by its message and its recipient, never by its turn, so that a dialogue is the
same for whoever sends the messages in whatever order of commands. It knows neither sockets nor sessions.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from email.mime.text import MIMEText
from typing import Literal, NamedTuple

End = Literal["", "FIN", "RST", "SILENCE"]
"""How the server ends the connection, if it does; SILENCE: it says nothing more, until the client's timeout is over."""

Segments = Literal["whole", "octets", "pieces"]
"""How what the server says comes in."""


class Step(NamedTuple):
    """What is answered: a command, or a content."""

    verb: str
    """MAIL, RCPT, DATA, content; or EHLO, HELO."""
    number: int = 0
    """Of the message."""
    index: int = 0
    """Of the recipient, where it is about one."""


@dataclass(frozen=True)
class Answer:
    """How a step is answered."""

    reply: bytes
    """As it is sent, complete or not."""
    end: End = ""
    """How the connection ends after it."""
    is_kept: bool = False
    """Whether a message is kept without saying so."""
    heard: int | None = None
    """So many octets of the content are heard, no more, before the connection ends."""


@dataclass(frozen=True)
class Mail:
    """A message, and its envelope."""

    number: int
    sender: str
    recipients: list[str]
    content: str | bytes | Message
    is_addressed: bool = False
    """Whether its own header says who gets it: a Message."""


@dataclass
class Dialogue:
    """Messages, and what the server does; what is not among the steps goes well."""

    seed: int
    mails: list[Mail]
    steps: dict[Step, Answer] = field(default_factory=dict)
    offers: tuple[str, ...] | None = ()
    """What EHLO offers, besides PIPELINING; None: it is not known to the server."""
    size_limit: int | None = None
    without_sender: Answer = Answer(b"503 5.5.1 MAIL first\r\n")
    """To RCPT where MAIL was refused, to which no step is said."""
    without_recipients: Answer = Answer(b"503 5.5.1 RCPT first\r\n")
    """To DATA where nobody was accepted."""
    to_nobody: bytes = b"554 5.5.1 nobody\r\n"
    """To a content that nobody gets."""
    segments: Segments = "whole"
    is_swallowing: bool = False
    """Whether what is sent after the end goes nowhere, as into a buffer; else it fails."""
    gaps: frozenset[int] = frozenset()
    """The messages that are not at hand when a stream asks for them."""

    def __str__(self) -> str:
        told = [f"seed {self.seed}: offers {self.offers}, size limit {self.size_limit}, comes {self.segments}"]
        told += [f"without sender: {self.without_sender}, recipients: {self.without_recipients}, {self.to_nobody!r}"]
        told += [f"swallows: {self.is_swallowing}, gaps: {set(self.gaps)}"]
        told += [f"mail {each.number} to {each.recipients}: {each.content!r:.200}" for each in self.mails]
        told += [f"{' '.join(map(str, step))}: {answer!s:.200}" for step, answer in sorted(self.steps.items())]
        return "\n".join(told)


# Drawing.

_NO: Mapping[str, list[bytes]] = {
    "MAIL": [b"450 4.1.8 later\r\n", b"452 full\r\n", b"550-5.7.1 not\r\n550 5.7.1 you\r\n", b"553\r\n", b"501 \r\n"],
    "RCPT": [b"450 4.2.1 busy\r\n", b"451-wait\r\n451-a\r\n451 bit\r\n", b"550 5.1.1 unknown\r\n", b"552  full \r\n"],
    "DATA": [b"451 4.3.0 not now\r\n", b"550 5.7.1 no\r\n", b"554-5.7.0\r\n554 never\r\n"],
    "content": [
        b"451 4.7.1 grey\r\n",
        b"452-4.3.1\r\n452 full\r\n",
        b"550 5.7.1 spam\r\n",
        b"554 virus\r\n",
        b"552\r\n",
    ],
    "EHLO": [b"500 what?\r\n", b"502 5.5.1 not here\r\n", b"550-no\r\n550 no\r\n"],
    "HELO": [b"500 what?\r\n", b"504 name?\r\n"],
}
_YES: Mapping[str, list[bytes]] = {
    "MAIL": [b"250 2.1.0 OK\r\n", b"250-2.1.0 sender\r\n250 2.1.0 OK\r\n", b"200 fine\r\n", b"250\r\n"],
    "RCPT": [b"250 2.1.5 OK\r\n", b"251 will forward\r\n", b"252 will try\r\n", b"250-OK\r\n250 2.1.5 OK\r\n"],
    "DATA": [b"354 go on\r\n", b"354-end it\r\n354 with a dot\r\n", b"354\r\n", b"350 go\r\n"],
    "content": [b"250 2.0.0 kept\r\n", b"250-2.0.0 kept\r\n250 as 12345\r\n", b"250\r\n", b"252 queued\r\n"],
    "HELO": [b"250 hello\r\n"],
}
_421 = b"421 4.3.2 closing\r\n"
_ENDS: list[End] = ["FIN", "FIN", "RST", "SILENCE"]
_LINES = ["", ".", "..", ".x", "...", "text", "From me", "From: me", "a.b", " .", "x" * 200, "\t", "=20"]
_EXTENSIONS = ["SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "HELP", "AUTH PLAIN", "X-ODD a=b", "CHUNKING"]


def good(step: Step) -> bytes:
    """Return the reply of a server that has nothing to say."""
    return _YES[step.verb][0]


def draw(seed: int, *, lmtp: bool = False) -> Dialogue:
    """Draw a dialogue."""
    chance = random.Random(seed)
    offers = None
    if lmtp or chance.random() < 0.9:
        offers = tuple(each for each in _EXTENSIONS if chance.random() < 0.4)
    steps = {Step("EHLO"): _trouble(chance, Step("EHLO"))} if chance.random() < 0.04 else {}
    capable = () if steps or offers is None else offers
    mails = [_mail(chance, number, capable, lmtp) for number in range(1, chance.randint(1, 4) + 1)]
    dialogue = Dialogue(
        seed=seed,
        mails=mails,
        steps=steps,
        offers=offers,
        size_limit=100 if "SIZE" in (offers or ()) and chance.random() < 0.1 else None,
        without_sender=_out_of_place(chance, b"503-5.5.1 MAIL\r\n503 first\r\n"),
        without_recipients=_out_of_place(
            chance, b"503 5.5.1 RCPT first\r\n", b"554-5.5.1 no\r\n554 valid recipients\r\n", b"354 go on\r\n"
        ),
        to_nobody=chance.choice([b"554 5.5.1 nobody\r\n", b"250 2.0.0 gone\r\n", b"451-gone\r\n451 perhaps\r\n"]),
        segments=chance.choice(["whole", "whole", "whole", "pieces", "pieces", "octets"]),
        is_swallowing=chance.random() < 0.5,
        gaps=frozenset(mail.number for mail in mails if chance.random() < 0.2),
    )
    calmness = chance.choice([0.1, 1, 1, 2])  # some dialogues are smooth, in some everything goes wrong
    for step, likely in _steps_of(dialogue, lmtp):
        draws = chance.random()
        if draws < likely * calmness:
            dialogue.steps[step] = _trouble(chance, step)
        elif draws > 0.7:
            dialogue.steps[step] = Answer(chance.choice(_YES[step.verb]))
    return dialogue


def _steps_of(dialogue: Dialogue, lmtp: bool) -> Iterable[tuple[Step, float]]:
    yield Step("HELO"), 0.05
    for mail in dialogue.mails:
        yield Step("MAIL", mail.number), 0.08
        for index in range(len(mail.recipients)):
            yield Step("RCPT", mail.number, index), 0.2
        yield Step("DATA", mail.number), 0.08
        for index in range(len(mail.recipients) if lmtp else 1):
            yield Step("content", mail.number, index), 0.25


def _trouble(chance: random.Random, step: Step) -> Answer:
    kind = chance.random()
    if kind < (0.45 if step.verb == "content" else 0.65):
        return Answer(chance.choice(_NO[step.verb]))
    if kind < (0.5 if step.verb == "content" else 0.7):
        return Answer(_421, "FIN")
    end = chance.choice(_ENDS)
    is_kept = step.verb == "content" and chance.random() < 0.5
    if kind < (0.65 if step.verb == "content" else 0.77):
        return Answer(b"", end, is_kept)
    if step.verb == "content" and kind < 0.7:
        return Answer(b"", end, heard=chance.randrange(30))
    replies = [*_YES.get(step.verb, [b"250-mx\r\n250-PIPELINING\r\n250 SIZE\r\n"]), *_NO[step.verb]]
    reply = chance.choice(replies)
    if kind < 0.9:
        return Answer(reply, end)
    return Answer(reply[: chance.randrange(1, len(reply))], end, is_kept and reply[:1] == b"2")


def _out_of_place(chance: random.Random, *replies: bytes) -> Answer:
    """Draw the answer to a command that is only sent where commands are pipelined."""
    reply = chance.choice(replies)
    if chance.random() < 0.7:
        return Answer(reply)
    return chance.choice(
        [Answer(_421, "FIN"), Answer(b"", chance.choice(_ENDS)), Answer(reply[:7], "FIN"), Answer(reply, "RST")]
    )


def _mail(chance: random.Random, number: int, offers: Iterable[str], lmtp: bool) -> Mail:
    sender = f"s{number}@example.org"
    recipients = [f"r{number}.{index}@example.net" for index in range(chance.randint(1, 4))]
    if not lmtp and chance.random() < 0.05:
        recipients.append(recipients[0])
    lines = [chance.choice(_LINES) for _ in range(chance.randrange(6))]
    has_8_bit = "8BITMIME" in offers and chance.random() < 0.3
    kind = chance.randrange(4)
    if kind == 0:
        text = "".join(line + chance.choice(["\n", "\r\n", "\r", "\n\n", ""]) for line in lines)
        return Mail(number, sender, recipients, text)
    if kind == 1:
        # With the eighth bit in its body, not in its header.
        octets = "\r\n".join(["Subject: Hi", "", *lines, "gr\u00fc\u00dfe"] if has_8_bit else lines).encode()
        return Mail(number, sender, recipients, octets + chance.choice([b"", b"\r\n", b"\r\n.\r\n"]))
    message = _message(chance, "\n".join(lines) + "\n", has_8_bit)
    if kind == 2:
        return Mail(number, sender, recipients, message)
    message["From"] = f"Somebody <{sender}>"
    first, second = sorted(chance.choices(range(1, len(recipients) + 1), k=2))
    # The order in which these fields are read.
    for name, those in ("To", recipients[:first]), ("Bcc", recipients[first:second]), ("Cc", recipients[second:]):
        if those:
            message[name] = ", ".join(those)
    return Mail(number, sender, recipients, message, is_addressed=True)


def _message(chance: random.Random, text: str, has_8_bit: bool) -> Message:
    message: Message
    if chance.random() < 0.5:
        message = MIMEText(text, "plain", "us-ascii")
    else:
        message = EmailMessage()
        message.set_content(text + "gr\u00fc\u00dfe\n" * has_8_bit, cte="8bit" if has_8_bit else None)
    message["Subject"] = "Hello"
    return message
