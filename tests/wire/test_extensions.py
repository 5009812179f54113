"""What MAIL and RCPT say: the parameters that the server's extensions allow, and addresses, out of which none grows."""

from __future__ import annotations

import email
import email.policy
import smtplib
from collections.abc import Callable, Iterable
from email.header import Header
from email.message import EmailMessage, Message
from typing import Any

import pytest

from asyncsmtp_bridge import PipelinedSMTP, classify
from tests.servers import smtp_server
from tests.wire.talking import ANNA, BERT, CLEO, DORA, NAME, Post, plain

JOERG = "jörg@example.org"
EIGHT_BIT = "Subject: Gruß\r\n\r\nGrüße\r\n".encode()
EIGHT_BIT_BODY = "Subject: Hello\r\n\r\nGrüße\r\n".encode()

both_ways = pytest.mark.parametrize("way", [(), ("PIPELINING",)], ids=["one by one", "pipelined"])
Way = tuple[str, ...]


def letter(policy: Any = email.policy.default, **fields: str) -> EmailMessage:
    message = EmailMessage(policy=policy)
    for name, value in {"From": ANNA, "To": BERT, "Subject": "Hello", **fields}.items():
        message[name.replace("_", "-")] = value
    message.set_content("Hello\n")
    return message


def eight_bit_letter() -> EmailMessage:
    message = letter(Subject="Gruß")
    message.set_content("Grüße\nvon hier\n", cte="8bit")
    return message


def parsed(content: bytes) -> EmailMessage:
    assert content.startswith(b".") is False
    assert b"\r\n." not in content  # nothing that would have to be taken out before
    return email.message_from_bytes(content, policy=email.policy.default)


def said(post: Post) -> list[str]:
    """What was said after EHLO."""
    assert post.verbs[0] == "EHLO"
    return post.commands[1:]


def nothing_was_sent(smtp: PipelinedSMTP, post: Post) -> bool:
    """Whether the next command is the first one after EHLO: then the session can go on, too."""
    return smtp.noop() == (250, b"OK") and post.verbs in (["EHLO", "NOOP"], ["NOOP"])


# SIZE (RFC 1870).


@pytest.mark.parametrize(
    "message",
    [
        "Subject: x\n\nHello\n",
        "Subject: x\r\n\r\nHello\r\n",
        "Subject: x\n\nHello",
        "Subject: x\n\n.\n..\n.dots\n",
        b"Subject: x\r\n\r\n.dots\r\n",
        b"",
        letter(),
        letter(Bcc=CLEO),
        letter(Subject="Grüße"),
    ],
    ids=["LF", "CRLF", "no end", "dots", "bytes", "nothing", "a message", "a blind copy", "encoded words"],
)
@both_ways
def test_the_size_is_what_smtplib_counts(way: Way, message: Any) -> None:
    is_message = isinstance(message, Message)
    with Post(*way, "SIZE") as post:
        for make in (smtplib.SMTP, PipelinedSMTP):
            with make("localhost", post.port, NAME) as smtp:
                smtp.send_message(message) if is_message else smtp.sendmail(ANNA, BERT, message)
    mails = [command.upper() for command in post.commands if command.upper().startswith("MAIL")]
    of_smtplib, of_ours = (mail.partition(" SIZE=")[2] for mail in mails)
    assert of_ours == of_smtplib != ""


@both_ways
def test_no_size_is_given_where_the_server_does_not_ask(way: Way) -> None:
    with Post(*way) as post, plain(post) as smtp:
        smtp.sendmail(ANNA, BERT, "x")
        assert post.envelopes == [f"MAIL FROM:<{ANNA}>", f"RCPT TO:<{BERT}>"]


@both_ways
def test_a_size_of_the_callers_own_counts(way: Way) -> None:
    with Post(*way, "SIZE") as post, plain(post) as smtp:
        smtp.sendmail(ANNA, BERT, "x", ["size=1000"])
        assert post.envelopes[0] == f"MAIL FROM:<{ANNA}> size=1000"


@both_ways
def test_a_message_that_is_larger_than_the_server_takes_is_not_offered(way: Way) -> None:
    with Post(*way, "SIZE 10") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused, match=r"11 octets.* 10 at most") as caught:
            smtp.sendmail(ANNA, BERT, b"x" * 11)
        assert (caught.value.smtp_code, caught.value.sender) == (552, ANNA)
        assert nothing_was_sent(smtp, post)


@both_ways
def test_a_message_that_is_as_large_as_the_server_takes_is_sent(way: Way) -> None:
    with Post(*way, "SIZE 12") as post, plain(post) as smtp:
        assert smtp.sendmail(ANNA, BERT, b"x" * 10 + b"\r\n") == {}


@pytest.mark.parametrize("offered", ["SIZE", "SIZE 0", "SIZE unlimited"])
@both_ways
def test_a_server_that_says_no_size_has_no_limit(way: Way, offered: str) -> None:
    with Post(*way, offered) as post, plain(post) as smtp:
        assert smtp.sendmail(ANNA, BERT, b"x" * 10_000) == {}


# 8BITMIME (RFC 6152).


@both_ways
def test_eight_bits_are_announced(way: Way) -> None:
    with Post(*way, "8BITMIME") as post, plain(post) as smtp:
        smtp.sendmail(ANNA, BERT, EIGHT_BIT_BODY)
        assert post.envelopes[0] == f"MAIL FROM:<{ANNA}> BODY=8BITMIME"
        assert post.contents == [EIGHT_BIT_BODY]


@both_ways
def test_seven_bits_are_not_announced(way: Way) -> None:
    with Post(*way, "8BITMIME") as post, plain(post) as smtp:
        smtp.sendmail(ANNA, BERT, "Subject: Hello\n\nHello\n")
        smtp.send_message(letter(Subject="Grüße"))
        assert [command for command in post.envelopes if command.startswith("MAIL")] == [f"MAIL FROM:<{ANNA}>"] * 2


@both_ways
def test_a_message_with_eight_bits_is_announced(way: Way) -> None:
    with Post(*way, "8BITMIME") as post, plain(post) as smtp:
        smtp.send_message(eight_bit_letter())
        assert post.envelopes[0] == f"MAIL FROM:<{ANNA}> BODY=8BITMIME"
        assert "Grüße\r\n".encode() in post.contents[0]


@both_ways
def test_a_body_that_the_caller_announces_is_not_announced_again(way: Way) -> None:
    with Post(*way, "8BITMIME") as post, plain(post) as smtp:
        smtp.sendmail(ANNA, BERT, EIGHT_BIT_BODY, ["BODY=8BITMIME"])
        assert post.envelopes[0] == f"MAIL FROM:<{ANNA}> BODY=8BITMIME"


@both_ways
def test_a_message_with_eight_bits_is_encoded_for_a_server_that_takes_seven(way: Way) -> None:
    message = eight_bit_letter()
    before = message.as_bytes()
    with Post(*way) as post, plain(post) as smtp:
        assert smtp.send_message(message) == {}
        assert post.envelopes[0] == f"MAIL FROM:<{ANNA}>"
        assert post.contents[0].isascii()
        arrived = parsed(post.contents[0])
    assert arrived["Subject"] == "Gruß"
    assert arrived.get_content() == "Grüße\nvon hier\n"
    assert message.as_bytes() == before


@both_ways
def test_the_parts_of_a_message_are_encoded_for_a_server_that_takes_seven_bits(way: Way) -> None:
    message = eight_bit_letter()
    message.add_attachment("Anhänge\n", cte="8bit", filename="a.txt")
    message.add_attachment(bytes(range(256)), maintype="application", subtype="octet-stream")
    with Post(*way) as post, plain(post) as smtp:
        smtp.send_message(message)
        assert post.contents[0].isascii()
        arrived = parsed(post.contents[0])
    assert [part.get_content() for part in arrived.iter_parts()] == [
        "Grüße\nvon hier\n",
        "Anhänge\n",
        bytes(range(256)),
    ]


@both_ways
def test_bytes_with_eight_bits_are_refused_for_a_server_that_takes_seven(way: Way) -> None:
    with Post(*way) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="8BITMIME"):
            smtp.sendmail(ANNA, BERT, EIGHT_BIT_BODY)
        assert nothing_was_sent(smtp, post)


# SMTPUTF8 (RFC 6531).


@pytest.mark.parametrize(("sender", "recipient"), [(JOERG, BERT), (ANNA, JOERG), ("anna@bücher.example", BERT)])
@both_ways
def test_smtputf8_is_asked_for_where_an_address_is_not_ascii(way: Way, sender: str, recipient: str) -> None:
    with Post(*way, "SMTPUTF8", "8BITMIME") as post, plain(post) as smtp:
        assert smtp.sendmail(sender, recipient, "x") == {}
        assert post.envelopes == [f"MAIL FROM:<{sender}> SMTPUTF8 BODY=8BITMIME", f"RCPT TO:<{recipient}>"]


@both_ways
def test_smtputf8_is_asked_for_where_the_header_is_not_ascii(way: Way) -> None:
    with Post(*way, "SMTPUTF8", "8BITMIME") as post, plain(post) as smtp:
        smtp.send_message(letter(email.policy.SMTPUTF8, Subject="Grüße"))
        smtp.sendmail(ANNA, BERT, EIGHT_BIT)
        mails = [command for command in post.envelopes if command.startswith("MAIL")]
        assert mails == [f"MAIL FROM:<{ANNA}> SMTPUTF8 BODY=8BITMIME"] * 2
        assert "Subject: Grüße\r\n".encode() in post.contents[0]


@both_ways
def test_smtputf8_is_not_asked_for_where_encoded_words_do(way: Way) -> None:
    with Post(*way, "SMTPUTF8", "8BITMIME") as post, plain(post) as smtp:
        smtp.send_message(letter(From=f"Jörg <{ANNA}>", Subject="Grüße"))
        assert post.envelopes[0] == f"MAIL FROM:<{ANNA}>"
        assert post.contents[0].isascii()


@both_ways
def test_a_header_with_an_address_that_is_not_ascii_goes_in_utf_8(way: Way) -> None:
    with Post(*way, "SMTPUTF8", "8BITMIME") as post, plain(post) as smtp:
        smtp.send_message(letter(To=JOERG))
        assert post.envelopes[1] == f"RCPT TO:<{JOERG}>"
        assert f"To: {JOERG}\r\n".encode() in post.contents[0]


@both_ways
def test_nothing_of_smtputf8_sticks(way: Way) -> None:
    with Post(*way, "SMTPUTF8", "8BITMIME") as post, plain(post) as smtp:
        smtp.sendmail(JOERG, BERT, "x")
        smtp.send_message(letter(Subject="Grüße"))
        assert post.envelopes[2:] == [f"MAIL FROM:<{ANNA}>", f"RCPT TO:<{BERT}>"]
        assert post.contents[1].isascii()
        assert smtp.command_encoding == "ascii"


@both_ways
def test_nothing_of_smtputf8_sticks_where_the_mail_was_refused(way: Way) -> None:
    with Post(*way, "SMTPUTF8", "8BITMIME", answers={f"MAIL FROM:<{JOERG}>": "550 no"}) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail(JOERG, BERT, "x")
        assert smtp.command_encoding == "ascii"
        smtp.sendmail(ANNA, BERT, "x")
        assert f"MAIL FROM:<{ANNA}>" in post.envelopes


@pytest.mark.parametrize("between", [lambda smtp: smtp.rset(), lambda smtp: smtp.noop()], ids=["RSET", "nothing"])
def test_nothing_of_smtputf8_sticks_where_commands_are_given_one_by_one(
    between: Callable[[PipelinedSMTP], object],
) -> None:
    with Post("SMTPUTF8") as post, plain(post) as smtp:
        smtp.ehlo()
        smtp.mail(JOERG, ["SMTPUTF8"])
        smtp.rcpt(JOERG)
        between(smtp)
        smtp.mail(ANNA)
        with pytest.raises(UnicodeEncodeError):
            smtp.rcpt(JOERG)
        assert post.envelopes == [f"MAIL FROM:<{JOERG}> SMTPUTF8", f"RCPT TO:<{JOERG}>", f"MAIL FROM:<{ANNA}>"]


@both_ways
def test_smtputf8_of_the_callers_own_is_not_said_twice(way: Way) -> None:
    with Post(*way, "SMTPUTF8", "8BITMIME") as post, plain(post) as smtp:
        smtp.sendmail(JOERG, BERT, "x", ["SMTPUTF8"])
        assert post.envelopes[0].count("SMTPUTF8") == 1


@pytest.mark.parametrize(("sender", "recipients"), [(JOERG, [BERT]), (ANNA, [BERT, JOERG])])
@both_ways
def test_an_address_that_is_not_ascii_is_refused_for_a_server_without_smtputf8(
    way: Way, sender: str, recipients: list[str]
) -> None:
    with Post(*way, "8BITMIME") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="SMTPUTF8"):
            smtp.sendmail(sender, recipients, "x")
        assert nothing_was_sent(smtp, post)


@both_ways
def test_a_message_to_such_an_address_is_refused_for_a_server_without_smtputf8(way: Way) -> None:
    with Post(*way, "8BITMIME") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="SMTPUTF8"):
            smtp.send_message(letter(To=JOERG))
        assert nothing_was_sent(smtp, post)


@both_ways
def test_smtputf8_as_an_option_is_refused_for_a_server_without_it(way: Way) -> None:
    with Post(*way) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="SMTPUTF8"):
            smtp.sendmail(ANNA, BERT, "x", ["SMTPUTF8"])
        assert nothing_was_sent(smtp, post)


@both_ways
def test_a_header_in_utf_8_goes_in_encoded_words_to_a_server_without_smtputf8(way: Way) -> None:
    with Post(*way, "8BITMIME") as post, plain(post) as smtp:
        smtp.send_message(letter(email.policy.SMTPUTF8, Subject="Grüße", From=f"Jörg <{ANNA}>"))
        assert post.envelopes[0] == f"MAIL FROM:<{ANNA}>"
        assert post.contents[0].isascii()
        arrived = parsed(post.contents[0])
    assert (arrived["Subject"], arrived["From"]) == ("Grüße", f"Jörg <{ANNA}>")


@both_ways
def test_bytes_with_a_header_in_utf_8_are_refused_for_a_server_without_smtputf8(way: Way) -> None:
    with Post(*way, "8BITMIME") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="SMTPUTF8"):
            smtp.sendmail(ANNA, BERT, EIGHT_BIT)
        assert nothing_was_sent(smtp, post)


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_real_server_with_smtputf8_gets_the_mail(pipelining: bool) -> None:
    with (
        smtp_server(enable_SMTPUTF8=True) as server,
        PipelinedSMTP("127.0.0.1", server.port, NAME, pipelining=pipelining) as smtp,
    ):
        assert smtp.send_message(letter(To=JOERG, Subject="Grüße")) == {}
        assert server.mailbox.recipients == [JOERG]
        assert server.mailbox.envelopes[0].smtp_utf8


# DSN (RFC 3461).


@both_ways
def test_what_the_caller_wants_to_be_told_is_asked_for(way: Way) -> None:
    with Post(*way, "DSN") as post, plain(post) as smtp:
        smtp.sendmail(
            ANNA, [BERT, CLEO], "x", ["RET=HDRS", "ENVID=QQ314159"], ["NOTIFY=SUCCESS,DELAY", f"ORCPT=rfc822;{BERT}"]
        )
        assert post.envelopes == [
            f"MAIL FROM:<{ANNA}> RET=HDRS ENVID=QQ314159",
            f"RCPT TO:<{BERT}> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;{BERT}",
            f"RCPT TO:<{CLEO}> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;{BERT}",
        ]


@both_ways
def test_a_message_can_ask_for_it_too(way: Way) -> None:
    with Post(*way, "DSN") as post, plain(post) as smtp:
        smtp.send_message(letter(), mail_options=["RET=FULL"], rcpt_options=("NOTIFY=NEVER",))
        assert post.envelopes == [f"MAIL FROM:<{ANNA}> RET=FULL", f"RCPT TO:<{BERT}> NOTIFY=NEVER"]


@pytest.mark.parametrize(
    "options",
    [
        {"mail_options": ["RET=HDRS"]},
        {"mail_options": ["envid=x"]},
        {"rcpt_options": ["NOTIFY=NEVER"]},
        {"rcpt_options": ["orcpt=rfc822;a@b"]},
    ],
    ids=str,
)
def test_what_needs_dsn_is_refused_for_a_server_without_it(options: dict[str, list[str]]) -> None:
    with Post("PIPELINING") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="DSN"):
            smtp.sendmail(ANNA, BERT, "x", **options)
        assert nothing_was_sent(smtp, post)


@both_ways
def test_other_options_are_sent_as_they_are(way: Way) -> None:
    with Post(*way) as post, plain(post) as smtp:
        smtp.sendmail(ANNA, BERT, "x", ["AUTH=<>", "XOWN"], ["XOTHER=1"])
        assert post.envelopes == [f"MAIL FROM:<{ANNA}> AUTH=<> XOWN", f"RCPT TO:<{BERT}> XOTHER=1"]


# Options.


@pytest.mark.parametrize("name", ["mail_options", "rcpt_options"])
def test_options_in_one_string_are_refused(name: str) -> None:
    with Post("PIPELINING") as post, plain(post) as smtp:
        with pytest.raises(TypeError, match=name):
            smtp.sendmail(ANNA, BERT, "x", **{name: "XOWN"})
        assert nothing_was_sent(smtp, post)


@pytest.mark.parametrize("option", ["X=1\r\nRSET", "X=1\n", "X=1\r", "X=\0", "", " X", "X=\x7f"])
@pytest.mark.parametrize("name", ["mail_options", "rcpt_options"])
def test_options_out_of_which_a_command_would_grow_are_refused(name: str, option: str) -> None:
    with Post("PIPELINING") as post, plain(post) as smtp:
        with pytest.raises(ValueError, match=name):
            smtp.sendmail(ANNA, BERT, "x", **{name: [option]})
        assert nothing_was_sent(smtp, post)


def test_options_of_a_single_command_cannot_become_another_one() -> None:
    with Post() as post, plain(post) as smtp:
        smtp.ehlo()
        with pytest.raises(ValueError, match="prohibited"):
            smtp.mail(ANNA, ["X=1\r\nRSET"])
        with pytest.raises(ValueError, match="prohibited"):
            smtp.rcpt(BERT, ["X=1\r\nRSET"])
        assert nothing_was_sent(smtp, post)


# A server that only knows HELO.


@pytest.fixture
def old() -> Post:
    return Post(answers={"EHLO": "502 5.5.1 what?"})


def test_a_server_that_only_knows_helo_is_told_no_parameters(old: Post) -> None:
    with old, plain(old) as smtp:
        assert smtp.sendmail(ANNA, [BERT, CLEO], "x") == {}
        assert smtp.send_message(letter(Subject="Grüße")) == {}
        assert old.verbs[:2] == ["EHLO", "HELO"]
        assert old.envelopes == [
            f"MAIL FROM:<{ANNA}>",
            f"RCPT TO:<{BERT}>",
            f"RCPT TO:<{CLEO}>",
            f"MAIL FROM:<{ANNA}>",
            f"RCPT TO:<{BERT}>",
        ]


def test_a_server_that_only_knows_helo_takes_seven_bits(old: Post) -> None:
    with old, plain(old) as smtp:
        smtp.send_message(eight_bit_letter())
        assert parsed(old.contents[0]).get_content() == "Grüße\nvon hier\n"
        with pytest.raises(smtplib.SMTPNotSupportedError, match="8BITMIME"):
            smtp.sendmail(ANNA, BERT, EIGHT_BIT_BODY)


def test_a_server_that_refuses_any_greeting_is_named() -> None:
    with Post(answers={"EHLO": "502 no", "HELO": "550 5.7.1 not you"}) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPHeloError) as caught:
            smtp.sendmail(ANNA, BERT, "x")
        assert (caught.value.smtp_code, caught.value.smtp_error) == (550, b"5.7.1 not you")


# Enhanced status codes (RFC 2034).


@both_ways
def test_the_enhanced_code_of_a_refused_sender_is_told(way: Way) -> None:
    with Post(*way, answers={"MAIL": "550 5.7.1 not you"}) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            smtp.sendmail(ANNA, BERT, "x")
        assert (classify(caught.value).code, classify(caught.value).enhanced_code) == (550, "5.7.1")


@both_ways
def test_the_enhanced_code_of_a_message_that_is_too_large_is_told(way: Way) -> None:
    with Post(*way, "SIZE 1") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            smtp.sendmail(ANNA, BERT, "longer")
        assert (classify(caught.value).code, classify(caught.value).enhanced_code) == (552, "5.3.4")


@both_ways
def test_the_enhanced_code_of_a_refused_content_is_told(way: Way) -> None:
    with Post(*way, content="554 5.7.28 spam") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            smtp.sendmail(ANNA, BERT, "x")
        assert (classify(caught.value).code, classify(caught.value).enhanced_code) == (554, "5.7.28")


@both_ways
def test_the_enhanced_code_of_a_refused_data_is_told(way: Way) -> None:
    with Post(*way, answers={"DATA": "451 4.3.2 later"}) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            smtp.sendmail(ANNA, BERT, "x")
        assert (classify(caught.value).code, classify(caught.value).enhanced_code) == (451, "4.3.2")


@both_ways
def test_the_enhanced_code_of_each_refused_recipient_is_told(way: Way) -> None:
    answers = {f"RCPT TO:<{BERT}>": "550 5.1.1 nobody", f"RCPT TO:<{CLEO}>": "450-4.2.1\r\n450 4.2.1 later"}
    with Post(*way, answers=answers) as post, plain(post) as smtp:
        refused = smtp.sendmail(ANNA, [BERT, CLEO, DORA], "x")
        assert {each: told.enhanced_code for each, told in classify(refused).items()} == {BERT: "5.1.1", CLEO: "4.2.1"}
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            smtp.sendmail(ANNA, [BERT, CLEO], "x")
        told = classify(caught.value).recipients
        assert {each: told[each].enhanced_code for each in told} == {BERT: "5.1.1", CLEO: "4.2.1"}


# Addresses.

NO_ADDRESS = {
    "a parameter": "anna@example.org> SIZE=1",
    "a parameter after brackets": "<anna@example.org> SIZE=1",
    "half a bracket": "<anna@example.org",
    "the other half": "anna@example.org>",
    "a command": "anna@example.org\r\nRCPT TO:<eve@example.org>",
    "a command in brackets": "<anna@example.org>\r\nRCPT TO:<eve@example.org>",
    "a command after a name": "Anna\r\nRCPT TO:<eve@example.org>\r\n <anna@example.org>",
    "a line feed": "anna@example.org\n",
    "a line feed within": "anna\n@example.org",
    "a carriage return": "anna@example.org\r",
    "NUL": "anna\0@example.org",
    "DEL": "anna\x7f@example.org",
    "a tab": "anna\t@example.org",
    "a space": "anna smith@example.org",
    "a space and another address": "anna@example.org eve@example.org",
    "two addresses": "anna@example.org, eve@example.org",
    "two addresses without a space": "anna@example.org,eve@example.org",
    "two addresses of Outlook": "anna@example.org; eve@example.org",
    "two addresses with names": "Anna <anna@example.org>, Eve <eve@example.org>",
    "two addresses in brackets": "Anna <anna@example.org> <eve@example.org>",
    "a group": "friends: anna@example.org;",
    "a lone surrogate": "anna\udce4@example.org",
    "two at signs": "anna@eve@example.org",
    "no local part": "@example.org",
    "no domain": "anna@",
    "a line end in quotes": '"an\r\nna"@example.org',
    "a quote too many": 'an"na@example.org',
    "an open literal": "anna@[192.0.2.1",
    "a literal with more": "anna@[192.0.2.1]> SIZE=1 <[x]",
}


@pytest.mark.parametrize("address", NO_ADDRESS.values(), ids=NO_ADDRESS)
@pytest.mark.parametrize("place", ["sender", "recipient", "second recipient"])
def test_what_is_not_one_address_is_refused_before_anything_is_sent(place: str, address: str) -> None:
    # With SMTPUTF8, so that the encoding is not what refuses it.
    with Post("PIPELINING", "SMTPUTF8", "8BITMIME") as post, plain(post) as smtp:
        with pytest.raises(ValueError, match="not one e-mail address"):
            if place == "sender":
                smtp.sendmail(address, BERT, "x")
            else:
                smtp.sendmail(ANNA, address if place == "recipient" else [BERT, address], "x")
        assert nothing_was_sent(smtp, post)


@pytest.mark.parametrize("address", NO_ADDRESS.values(), ids=NO_ADDRESS)
def test_what_is_not_one_address_is_refused_by_single_commands(address: str) -> None:
    with Post("SMTPUTF8") as post, plain(post) as smtp:
        smtp.ehlo()
        with pytest.raises(ValueError, match="not one e-mail address"):
            smtp.mail(address, ["SMTPUTF8"])
        with pytest.raises(ValueError, match="not one e-mail address"):
            smtp.rcpt(address)
        assert nothing_was_sent(smtp, post)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("anna@example.org", "<anna@example.org>"),
        ("<anna@example.org>", "<anna@example.org>"),
        (" anna@example.org ", "<anna@example.org>"),
        ("Anna <anna@example.org>", "<anna@example.org>"),
        ('"Smith, Anna" <anna@example.org>', "<anna@example.org>"),
        ("anna@example.org (Anna)", "<anna@example.org>"),
        ("anna+tag@example.org", "<anna+tag@example.org>"),
        ("o'neill@example.org", "<o'neill@example.org>"),
        ('"anna smith"@example.org', '<"anna smith"@example.org>'),
        (r'"an\"na"@example.org', r'<"an\"na"@example.org>'),
        ('"a@b"@example.org', '<"a@b"@example.org>'),
        ("anna@[192.0.2.1]", "<anna@[192.0.2.1]>"),
        ("anna@[IPv6:2001:db8::1]", "<anna@[IPv6:2001:db8::1]>"),
        ("root", "<root>"),
        ("anna@localhost", "<anna@localhost>"),
        ("anna..smith@example.org", "<anna..smith@example.org>"),
        ("anna.@example.org", "<anna.@example.org>"),
    ],
)
@both_ways
def test_one_address_is_the_path(way: Way, address: str, path: str) -> None:
    with Post(*way) as post, plain(post) as smtp:
        assert smtp.sendmail(address, address, "x") == {}
        assert post.envelopes == [f"MAIL FROM:{path}", f"RCPT TO:{path}"]


@pytest.mark.parametrize("sender", ["", "<>"])
@both_ways
def test_the_null_reverse_path_works(way: Way, sender: str) -> None:
    with Post(*way) as post, plain(post) as smtp:
        assert smtp.sendmail(sender, BERT, "x") == {}
        assert post.envelopes[0] == "MAIL FROM:<>"


@both_ways
def test_refused_recipients_are_named_as_they_were_given(way: Way) -> None:
    with Post(*way, answers={f"RCPT TO:<{BERT}>": "550 no"}) as post, plain(post) as smtp:
        assert smtp.sendmail(ANNA, [f"Bert <{BERT}>", CLEO], "x") == {f"Bert <{BERT}>": (550, b"no")}


# Who is in a header.


@both_ways
def test_a_message_without_a_sender_says_what_to_do(way: Way) -> None:
    message = letter()
    del message["From"]
    with Post(*way) as post, plain(post) as smtp:
        with pytest.raises(ValueError, match="neither Sender nor From; pass from_addr="):
            smtp.send_message(message)
        assert nothing_was_sent(smtp, post)


@both_ways
def test_a_message_with_a_sender_that_is_none_says_what_to_do(way: Way) -> None:
    message = Message()
    message["From"], message["To"] = "", BERT
    with Post(*way) as post, plain(post) as smtp:
        with pytest.raises(ValueError, match=r"From, .*has no address; pass from_addr="):
            smtp.send_message(message)
        assert nothing_was_sent(smtp, post)


@both_ways
def test_the_sender_is_who_sends(way: Way) -> None:
    with Post(*way) as post, plain(post) as smtp:
        smtp.send_message(letter(From=f"Anna <{ANNA}>, {DORA}", Sender=CLEO))
        assert post.envelopes[0] == f"MAIL FROM:<{CLEO}>"


@both_ways
def test_a_sender_alone_is_enough(way: Way) -> None:
    message = letter(Sender=CLEO)
    del message["From"]
    with Post(*way) as post, plain(post) as smtp:
        smtp.send_message(message)
        assert post.envelopes[0] == f"MAIL FROM:<{CLEO}>"


@both_ways
def test_all_recipients_of_all_fields_get_the_message(way: Way) -> None:
    message = Message()  # which takes several fields of a name, as those that came over the wire have
    message["From"] = ANNA
    message["To"] = f"Bert <{BERT}>"
    message["To"] = f'"Smith, Cleo" <{CLEO}>, {DORA}'
    message["Cc"] = "friends: eve@example.org, fred@example.org;"
    message["cc"] = "greg@example.org"
    message["Bcc"] = "henk@example.org"
    message["Bcc"] = "ida@example.org"
    message.set_payload("x")
    with Post(*way) as post, plain(post) as smtp:
        smtp.send_message(message)
        recipients = {command.removeprefix("RCPT TO:<").rstrip(">") for command in post.envelopes[1:]}
    assert recipients == {
        BERT,
        CLEO,
        DORA,
        "eve@example.org",
        "fred@example.org",
        "greg@example.org",
        "henk@example.org",
        "ida@example.org",
    }


@both_ways
def test_blind_copies_are_delivered_and_nobody_sees_the_field(way: Way) -> None:
    message = letter(Bcc=f"{CLEO}, {DORA}")
    with Post(*way) as post, plain(post) as smtp:
        smtp.send_message(message)
        assert {f"RCPT TO:<{CLEO}>", f"RCPT TO:<{DORA}>"} < set(post.envelopes)
        assert b"bcc" not in post.contents[0].lower()
        assert CLEO.encode() not in post.contents[0]
    assert message["Bcc"] == f"{CLEO}, {DORA}"


@both_ways
def test_the_arguments_count_and_not_the_header(way: Way) -> None:
    with Post(*way) as post, plain(post) as smtp:
        smtp.send_message(letter(Bcc=DORA), "", [CLEO])
        assert post.envelopes == ["MAIL FROM:<>", f"RCPT TO:<{CLEO}>"]
        assert b"bcc" not in post.contents[0].lower()


@both_ways
def test_who_sends_a_message_on_sends_it_to_others(way: Way) -> None:
    message = letter(
        Resent_Date="Mon, 01 Jan 2024 10:00:00 +0000", Resent_From=CLEO, Resent_To=DORA, Resent_Bcc="eve@example.org"
    )
    with Post(*way) as post, plain(post) as smtp:
        smtp.send_message(message)
        assert post.envelopes == [f"MAIL FROM:<{CLEO}>", f"RCPT TO:<{DORA}>", "RCPT TO:<eve@example.org>"]
        assert b"resent-bcc" not in post.contents[0].lower()
        assert f"To: {BERT}".encode() in post.contents[0]


@both_ways
def test_a_message_that_was_sent_on_twice_wants_to_be_told(way: Way) -> None:
    message = Message()
    message["From"], message["To"] = ANNA, BERT
    for day in ("01", "02"):
        message["Resent-Date"] = f"Mon, {day} Jan 2024 10:00:00 +0000"
        message["Resent-From"], message["Resent-To"] = CLEO, DORA
    message.set_payload("x")
    with Post(*way) as post, plain(post) as smtp:
        with pytest.raises(ValueError, match=r"more than one 'Resent-'.*from_addr= and to_addrs="):
            smtp.send_message(message)
        smtp.send_message(message, CLEO, [DORA])
        assert post.envelopes == [f"MAIL FROM:<{CLEO}>", f"RCPT TO:<{DORA}>"]


def test_fields_of_the_old_api_are_read() -> None:
    message: Any = Message()
    message["From"] = Header(f"Anna <{ANNA}>")
    message["To"] = Header(f"=?utf-8?q?J=C3=B6rg?= <{BERT}>")
    message.set_payload("x")
    with Post() as post, plain(post) as smtp:
        smtp.send_message(message)
        assert post.envelopes == [f"MAIL FROM:<{ANNA}>", f"RCPT TO:<{BERT}>"]


# Recipients.


@both_ways
def test_to_send_to_nobody_is_refused(way: Way) -> None:
    message = letter()
    del message["To"]
    with Post(*way) as post, plain(post) as smtp:
        for send in (lambda: smtp.sendmail(ANNA, [], "x"), lambda: smtp.send_message(message)):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
                send()
            assert caught.value.recipients == {}
        assert nothing_was_sent(smtp, post)


@pytest.mark.parametrize(
    "make",
    [iter, tuple, dict.fromkeys, lambda each: (one for one in each), lambda each: map(str, each)],
    ids=["iterator", "tuple", "dict", "generator", "map"],
)
@both_ways
def test_recipients_may_be_any_iterable(way: Way, make: Callable[[Iterable[str]], Any]) -> None:
    with Post(*way, answers={f"RCPT TO:<{BERT}>": "550 no"}) as post, plain(post) as smtp:
        assert smtp.sendmail(ANNA, make([BERT, CLEO]), "x") == {BERT: (550, b"no")}
        assert post.envelopes[1:] == [f"RCPT TO:<{BERT}>", f"RCPT TO:<{CLEO}>"]


@both_ways
def test_one_string_is_one_recipient(way: Way) -> None:
    with Post(*way) as post, plain(post) as smtp:
        smtp.sendmail(ANNA, BERT, "x")
        assert post.envelopes[1:] == [f"RCPT TO:<{BERT}>"]


@both_ways
def test_who_is_named_twice_and_refused_twice_is_refused(way: Way) -> None:
    with Post(*way, answers={"RCPT": "550 no"}) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            smtp.sendmail(ANNA, [BERT, BERT], "x")
        assert caught.value.recipients == {BERT: (550, b"no")}
        assert post.contents == []


# Messages.


@both_ways
def test_a_string_that_is_not_ascii_is_refused_before_anything_is_sent(way: Way) -> None:
    with Post(*way, "8BITMIME", "SMTPUTF8") as post, plain(post) as smtp:
        with pytest.raises(UnicodeEncodeError):
            smtp.sendmail(ANNA, BERT, "Grüße")
        assert nothing_was_sent(smtp, post)


@both_ways
def test_bytes_with_line_ends_of_several_kinds_are_refused_before_anything_is_sent(way: Way) -> None:
    with Post(*way) as post, plain(post) as smtp:
        with pytest.raises(ValueError, match="smuggling"):
            smtp.sendmail(ANNA, BERT, b"x\r\n.\nMAIL FROM:<eve@example.org>\r\n")
        assert nothing_was_sent(smtp, post)


@pytest.mark.parametrize("message", [None, 1, ["x"]])
def test_what_is_no_message_is_refused_before_anything_is_sent(message: Any) -> None:
    with Post("PIPELINING") as post, plain(post) as smtp:
        with pytest.raises(TypeError):
            smtp.sendmail(ANNA, BERT, message)
        with pytest.raises(TypeError):
            smtp.send_message(message)
        assert nothing_was_sent(smtp, post)
