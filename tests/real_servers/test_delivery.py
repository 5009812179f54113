"""What is sent arrives, once for each recipient, byte for byte."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import closing
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY

import pytest

from .conftest import Mail
from .server import ANNA, BERT, CLEO, RealServer
from .sessions import PipelinedSMTP, beyond_smtplib


def header(mail: Mail) -> bytes:
    return mail.content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def test_sendmail(server: RealServer, mail: Mail) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        assert smtp.sendmail(mail.sender, [ANNA, BERT], mail.content) == {}
    arrived = server.received(mail.sender)
    assert sorted(copy.recipient for copy in arrived) == [ANNA, BERT]
    assert {copy.content for copy in arrived} == {mail.content}


def test_send_message(server: RealServer, mail: Mail) -> None:
    message = EmailMessage()
    message["From"] = f"Anna Ångström <{mail.sender}>"
    message["To"] = f"Bert <{BERT}>"
    message["Cc"] = CLEO
    message["Bcc"] = ANNA
    message["Subject"] = "Grüße"
    message.set_content("Schöne Grüße\n.\n..\n")
    message.add_attachment(bytes(range(256)) * 40, maintype="application", subtype="octet-stream", filename="all.bin")
    message.set_boundary("-=-")
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        assert smtp.send_message(message) == {}
    arrived = server.received(mail.sender)
    assert sorted(copy.recipient for copy in arrived) == [ANNA, BERT, CLEO]
    del message["Bcc"]
    assert {copy.content for copy in arrived} == {message.as_bytes(policy=SMTP_POLICY)}


def test_an_empty_reverse_path(server: RealServer, mail: Mail) -> None:
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        assert smtp.sendmail("", [BERT], mail.content) == {}
    assert [copy.content for copy in server.messages() if copy.content == mail.content] == [mail.content]


def test_a_hundred_messages_over_one_session(server: RealServer, mail: Mail) -> None:
    contents = [mail.content + b"This is message %d.\r\n" % number for number in range(100)]
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        for content in contents:
            assert smtp.sendmail(mail.sender, [BERT], content) == {}
    assert Counter(copy.content for copy in server.received(mail.sender)) == Counter(contents)


BODIES = {
    "dots": b".\r\n..\r\n.x\r\n\r\n.\r\n.",
    "a line of dots at the end": b"x\r\n" + b"." * 998,
    "without an end of the last line": b"x",
    "nothing": b"",
    "empty lines at the end": b"x\r\n\r\n\r\n",
    "the longest lines that are allowed": b"\r\n".join(bytes([letter]) * 998 for letter in b"abcdefgh."),
    "looks like commands": b"QUIT\r\nRSET\r\nMAIL FROM:<banned@example.org>\r\nDATA\r\n",
    "a megabyte": b"\r\n".join(random.Random(1).randbytes(36).hex().encode() for _ in range(14_000)),
}


def test_every_message_of_a_session_arrives_byte_for_byte(server: RealServer, mail: Mail) -> None:
    contents = {name: header(mail) + body for name, body in BODIES.items()}
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        for name, content in contents.items():
            assert smtp.sendmail(mail.sender, [f"from-{name.replace(' ', '-')}@example.org"], content) == {}
    arrived = {copy.recipient: copy.content for copy in server.received(mail.sender)}
    assert len(arrived) == len(contents)
    for name, content in contents.items():
        ended = content if content.endswith(b"\r\n") else content + b"\r\n"
        assert arrived[f"from-{name.replace(' ', '-')}@example.org"] == ended, name


@pytest.mark.parametrize("name", ["postfix", "exim"])  # aiosmtpd refuses them, as RFC 5321 allows
def test_lines_longer_than_allowed_are_left_as_they_are(name: str, mail: Mail, request: pytest.FixtureRequest) -> None:
    server: RealServer = request.getfixturevalue(name)
    content = header(mail) + b"x" * 20_000 + b"\r\n." + b"y" * 20_000 + b"\r\n"
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        assert smtp.sendmail(mail.sender, [BERT], content) == {}
    assert [copy.content for copy in server.received(mail.sender)] == [content]


def test_an_8_bit_body(server: RealServer, mail: Mail) -> None:
    content = header(mail) + bytes(byte for byte in range(1, 256) if byte not in b"\r\n") + "\r\nGrüße\r\n".encode()
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("8bitmime")
        assert smtp.sendmail(mail.sender, [BERT], content, mail_options=["BODY=8BITMIME"]) == {}
    assert [copy.content for copy in server.received(mail.sender)] == [content]


ENDS = [b"\n.\r\n", b"\r\n.\n", b"\n.\n", b"\r.\r", b"\r\n.\r"]


@beyond_smtplib
def test_no_second_message_can_be_smuggled_in(server: RealServer, mail: Mail) -> None:
    """Servers differ in what they take for the end of the content: smtplib sends bytes with bare LFs as they are."""
    envelope = f"MAIL FROM:<{mail.sender}>\r\nRCPT TO:<{BERT}>\r\nDATA\r\n".encode()
    with closing(PipelinedSMTP(server.host, server.port)) as smtp:
        for end in ENDS:
            smuggled = end + envelope + b"Subject: Smuggled\r\n\r\nx" + end
            with pytest.raises(ValueError, match="smuggling"):
                smtp.sendmail(mail.sender, [ANNA], mail.content + b"before" + smuggled + b"after\r\n")
        # Where all lines end in the same way, other than CRLF, they are lines.
        assert smtp.sendmail(mail.sender, [CLEO], b"Subject: Lines\n\nbefore\n.\n" + b"after\n") == {}
    (arrived,) = server.received(mail.sender)
    assert (arrived.recipient, arrived.content) == (CLEO, b"Subject: Lines\r\n\r\nbefore\r\n.\r\nafter\r\n")
