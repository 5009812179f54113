"""What a server's reply means: the reading of replies, and the table of those that are known."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncsmtp_bridge.outcome import Outcome
from asyncsmtp_bridge.replies import LONGEST_WAIT, LOOKED_AT, REPLIES, Command, Row, meaning_of

T, P = Outcome.TRANSIENT, Outcome.PERMANENT

COMMANDS: tuple[Command, ...] = ("CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "CONTENT")
ADDRESS = "bert@example.org"

# A reply as it goes over the wire, what it answers, its outcome, and what is in its meaning.
EXAMPLES: list[tuple[str, Command | None, Outcome, str]] = [
    # Greylisting.
    (
        f"450 4.2.0 <{ADDRESS}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/",
        "RCPT",
        T,
        "greylisted",
    ),
    ("451 Temporary failure, please try again later.", "DATA", T, "spamd"),
    ("503 5.5.1 Error: nested MAIL command", "MAIL", T, "still open"),
    ("503 5.5.2 Sender already specified", "MAIL", T, "still open"),
    ("554 5.7.1 Greylisted, please try again in a few minutes", "RCPT", T, "under a code for refusals"),
    # Transient, or so the code says.
    (
        "421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed.",
        "CONNECT",
        P,
        "Yahoo",
    ),
    (
        "421 Domain sandbox1.mailgun.org is not allowed to send: Sandbox subdomains are for test purposes only.",
        "DATA",
        P,
        "Mailgun",
    ),
    ("421 Too many concurrent SMTP connections; please try again later.", "CONNECT", T, "too many connections"),
    ("421 4.7.0 mail.example.org Error: too many connections from 192.0.2.1", "CONNECT", T, "too many connections"),
    ("421 Max message per connection reached, closing transmission channel", "MAIL", T, "no more messages"),
    ("421 4.7.0 Try again later, closing connection. (EHLO) x1 - gsmtp", "EHLO", T, "limits mail from you"),
    (
        "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
        "MAIL",
        T,
        "limits mail from you",
    ),
    ("421 mail.example.org Service not available, closing transmission channel", None, T, "shutting down"),
    ("432 4.3.2 Concurrent connections limit exceeded. [Hostname=X.prod.outlook.com]", "CONTENT", T, "Exchange Online"),
    ("432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "CONTENT", T, "Exchange Online"),
    ("432 4.7.12 A password transition is needed", "AUTH", T, "password must be renewed"),
    ("450 4.2.1 The user you are trying to contact is receiving mail too quickly.", "RCPT", T, "too fast"),
    ("450 4.1.8 <me@example.invalid>: Sender address rejected: Domain not found", "RCPT", T, "cannot be verified"),
    ("450 Requested mail action not taken: mailbox unavailable", "RCPT", T, "mailbox is busy"),
    ("451 5.7.3 STARTTLS is required to send mail [X.apcprd02.prod.outlook.com]", "MAIL", P, "STARTTLS"),
    ("451 5.7.3 Require basic authentication", "MAIL", P, "a login"),
    ("451 Authentication failed: Maximum credits exceeded", "AUTH", T, "SendGrid's credits"),
    ("451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)", "MAIL", T, "rate or reputation"),
    ("451 4.3.0 Error: queue file write error", "CONTENT", T, "error of its own"),
    ("452 Too many recipients received this hour (throttled)", "RCPT", T, "SendGrid's limit"),
    ("452 4.5.3 Error: too many recipients", "RCPT", T, "too many recipients in one transaction"),
    (
        "452 4.5.3 Domain policy size per transaction exceeded, please try this recipient in a separate transaction.",
        "RCPT",
        T,
        "too much for one transaction",
    ),
    ("452 4.2.2 The recipient's inbox is out of storage space.", "RCPT", T, "mailbox is full"),
    ("452 4.3.1 Insufficient system storage", "MAIL", T, "no room"),
    ("454 Throttling failure: Maximum sending rate exceeded.", "CONTENT", T, "messages a second"),
    ("454 Throttling failure: Daily message quota exceeded.", "CONTENT", T, "messages a day"),
    ("454 4.7.0 Too many login attempts, please try again later. x1 - gsmtp", "AUTH", T, "too many logins"),
    ("454 TLS not available due to temporary reason", "STARTTLS", T, "TLS is not available"),
    ("454 4.7.0 Temporary authentication failure", "AUTH", T, "cannot check logins"),
    ("455 Server unable to accommodate parameters", "MAIL", T, "parameter"),
    ("471 Something of its own", "RCPT", T, "refused for now"),
    # Permanent.
    ("504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", "RCPT", P, "local_hostname"),
    ("501 5.5.4 HELO/EHLO argument x_y invalid, closing connection.", "EHLO", P, "local_hostname"),
    (f"554 5.7.1 <{ADDRESS}>: Relay access denied", "RCPT", P, "does not relay"),
    ("550 5.7.1 Unable to relay", "RCPT", P, "does not relay"),
    ("553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1", "CONNECT", P, "blocklist"),
    ("534 5.7.9 Application-specific password required. x1 - gsmtp", "AUTH", P, "app password"),
    ("535 5.7.8 Username and Password not accepted. x1 - gsmtp", "AUTH", P, "Gmail knows no such user"),
    ("535 Authentication Credentials Invalid", "AUTH", P, "Amazon SES"),
    ("550 5.7.60 SMTP; Client does not have permissions to send as this sender", "CONTENT", P, "may not send as"),
    ("550 5.7.1 Client does not have permissions to send as this sender", "MAIL", P, "may not send as"),
    ("550 The from address does not match a verified Sender Identity.", "CONTENT", P, "not verified with SendGrid"),
    ("550 Unauthenticated senders not allowed", "MAIL", P, "apikey"),
    ("552 Too many recipients", "RCPT", T, "old standard"),
    (
        "553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed.",
        "MAIL",
        P,
        "Yahoo",
    ),
    (
        "554 Message rejected: Email address is not verified. The following identities failed the check in region X",
        "CONTENT",
        P,
        "not verified with Amazon SES",
    ),
    ("530 5.7.57 Client not authenticated to send mail.", "MAIL", P, "Exchange takes no mail without a login"),
    (
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
        "AUTH",
        P,
        "administrator disabled",
    ),
    ("535 5.7.3 Authentication unsuccessful", "AUTH", P, "Exchange refused user and password"),
    ("550 5.4.5 Daily user sending limit exceeded. x1 - gsmtp", "CONTENT", P, "limit of mail for one day"),
    (f"550 5.1.1 <{ADDRESS}>: Recipient address rejected: User unknown", "RCPT", P, "does not exist"),
    ("553 5.1.2 We weren't able to find the recipient domain.", "RCPT", P, "domain does not exist"),
    ("552 5.2.2 The recipient's inbox is out of storage space and inactive.", "RCPT", P, "mailbox is full"),
    ("552 5.3.4 Message size exceeds fixed maximum message size", "MAIL", P, "message is too big for the server"),
    ("553 5.6.7 Non-ASCII addresses not permitted for that recipient", "RCPT", P, "beyond ASCII"),
    ("550 5.7.26 Unauthenticated email from example.org is not accepted", "CONTENT", P, "SPF, DKIM or DMARC"),
    ("504 5.5.4 Unrecognized authentication type", "AUTH", P, "way of logging in"),
    ("550 Sender refused", "MAIL", P, "refuses the sender"),
    ("550 This message was classified as spam", "CONTENT", P, "refuses the message"),
    ("554 No SMTP service here", "CONNECT", P, "none from your IP address"),
    ("554 5.7.1 Rejected by a rule", "DATA", P, "by a rule"),
    ("500 5.5.6 Authentication exchange line is too long", "AUTH", P, "too long"),
    ("501 Syntax error in parameters or arguments", "MAIL", P, "malformed"),
    ("502 5.5.1 Unrecognized command.", "EHLO", P, "does not do this command"),
    ("503 5.5.1 Bad sequence of commands", "DATA", P, "another command first"),
    ("504 Command parameter not implemented", "MAIL", P, "does not know a parameter"),
    ("521 mail.example.org does not accept mail", "CONNECT", P, "no mail at all"),
    ("530 5.7.0 Must issue a STARTTLS command first", "MAIL", P, "STARTTLS first"),
    ("530 5.7.0 Authentication required.", "MAIL", P, "a login first"),
    ("530 5.7.1 Not authenticated", "MAIL", P, "a login first"),
    ("534 5.7.9 Authentication mechanism is too weak", "AUTH", P, "stronger way"),
    ("535 5.7.8 Error: authentication failed", "AUTH", P, "user or password is wrong"),
    ("538 5.7.11 Encryption required for requested authentication mechanism", "AUTH", P, "over TLS only"),
    ("550 Requested action not taken: mailbox unavailable", "RCPT", P, "no such mailbox"),
    ("551 User not local; please try <bert@example.com>", "RCPT", P, "elsewhere"),
    ("552 Requested mail action aborted: exceeded storage allocation", "CONTENT", P, "or the mailbox full"),
    ("553 Requested action not taken: mailbox name not allowed", "MAIL", P, "not allowed to this account"),
    ("554 Transaction failed", "CONTENT", P, "refuses the transaction"),
    ("555 MAIL FROM/RCPT TO parameters not recognized or not implemented", "MAIL", P, "parameter of MAIL or RCPT"),
    ("556 5.1.10 Recipient address has null MX", "RCPT", P, "domain takes no mail"),
    ("571 Something of its own", "RCPT", P, "refuse it again"),
]


def split(reply: str) -> tuple[int, bytes]:
    """Return a reply's code and text as smtplib does."""
    return int(reply[:3]), reply[4:].encode()


# The table.


@pytest.mark.parametrize(("reply", "command", "outcome", "meaning"), EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_a_known_reply_is_read_by_its_row(reply: str, command: Command | None, outcome: Outcome, meaning: str) -> None:
    read = meaning_of(*split(reply), command)
    assert read.outcome is outcome
    assert meaning in read.meaning


def test_each_row_is_reached_by_an_example() -> None:
    read = [meaning_of(*split(reply), command) for reply, command, _, _ in EXAMPLES]
    reached = {(code, each.meaning) for each in read if each.code for code in (each.code, each.code // 100)}
    assert [row for row in REPLIES if (row.code, row.meaning) not in reached] == []


def test_no_two_rows_say_the_same_of_the_same_code() -> None:
    assert len({(row.code, row.meaning) for row in REPLIES}) == len(REPLIES)


@pytest.mark.parametrize("row", REPLIES, ids=lambda row: f"{row.code} {row.enhanced or ''} {row.text or ''}")
def test_a_row_is_well_formed(row: Row) -> None:
    assert row.code in (4, 5) or 400 <= row.code <= 599
    assert row.outcome in (T, P)
    assert row.meaning
    assert not row.meaning.endswith(".")
    assert row.source
    assert set(row.commands) <= set(COMMANDS)
    assert row.enhanced is None or re.fullmatch(r"[45]\.\d{1,3}(\.\d{1,3})?", row.enhanced)


def test_what_the_first_digit_says_is_only_contradicted_for_a_text_or_an_enhanced_code() -> None:
    for row in REPLIES:
        if (row.outcome is T) != (str(row.code)[0] == "4"):
            assert row.text or row.enhanced


@pytest.mark.parametrize(
    "code",
    [
        *(421, 450, 451, 452, 455, 500, 501, 502, 503, 504, 521, 550, 551, 552, 553, 554, 555, 556),
        *(432, 454, 530, 534, 535, 538),
    ],
)
def test_each_code_of_the_standards_has_a_meaning_of_its_own(code: int) -> None:
    assert meaning_of(code, b"").meaning != meaning_of(code // 100 * 100 + 99, b"").meaning


def test_rows_and_meanings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        REPLIES[0].code = 550  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        meaning_of(550, b"").outcome = T  # type: ignore[misc]


# Codes.


@given(st.integers(400, 499))
def test_an_unexplained_4yz_is_transient(code: int) -> None:
    assert meaning_of(code, b"").outcome is T


@given(st.integers(500, 599))
def test_an_unexplained_5yz_is_permanent(code: int) -> None:
    assert meaning_of(code, b"").outcome is P


@pytest.mark.parametrize("code", [-1, 0, 4, 5, 45, 99, 600, 999, 10**30])
def test_what_can_be_no_code_is_no_reply(code: int) -> None:
    read = meaning_of(code, b"SSH-2.0-OpenSSH_9.7")
    assert (read.code, read.outcome) == (None, T)
    assert read.meaning.startswith("no proper reply")
    assert read.text == "SSH-2.0-OpenSSH_9.7"


@pytest.mark.parametrize("code", [100, 220, 250, 354, 399])
def test_a_code_that_is_no_failure_is_told_as_out_of_place(code: int) -> None:
    read = meaning_of(code, b"OK")
    assert (read.code, read.outcome) == (code, T)
    assert read.meaning.startswith("not the reply")


# Authentication.


@given(st.integers(-1, 700).filter(lambda code: code // 100 != 4), st.sampled_from(["", "greylisted", "try again"]))
def test_a_login_is_only_tried_again_when_the_code_says_so(code: int, text: str) -> None:
    read = meaning_of(code, text, "AUTH")
    assert (read.outcome, read.greylisted, read.retry_after) == (P, False, None)


def test_a_login_that_fails_for_now_may_be_tried_again() -> None:
    assert meaning_of(454, b"4.7.0 Temporary authentication failure", "AUTH").outcome is T


# Commands.


def test_the_same_reply_means_something_else_to_another_command() -> None:
    meanings = {command: meaning_of(550, b"refused", command).meaning for command in ("MAIL", "RCPT", "CONTENT")}
    assert len(set(meanings.values())) == 3


@pytest.mark.parametrize("command", [None, "MAIL", "DATA", "CONTENT"])
def test_too_many_recipients_under_552_is_permanent_where_no_recipient_was_named(command: Command | None) -> None:
    assert meaning_of(552, b"Too many recipients", command).outcome is P


@pytest.mark.parametrize("code", range(400, 600))
def test_a_row_for_a_command_does_not_fit_when_the_command_is_not_known(code: int) -> None:
    meaning = meaning_of(code, b"").meaning
    rows = [row for row in REPLIES if row.code in (code, code // 100) and row.meaning == meaning]
    assert [row.commands for row in rows] == [()]


# Enhanced status codes.


@pytest.mark.parametrize(
    ("text", "enhanced", "line"),
    [
        (b"5.7.1 Refused", "5.7.1", "Refused"),
        (b"5.7.139 Refused", "5.7.139", "Refused"),
        (b"5.7.1", "5.7.1", ""),
        (b"5.7.1\nRefused", "5.7.1", "Refused"),
        (b"  5.7.1\tRefused", "5.7.1", "Refused"),
        (b"5.7.1 5.7.1 Refused", "5.7.1", "Refused"),
        (b"5.7.1 Refused,\n5.7.1 for a reason", "5.7.1", "Refused, for a reason"),
        (b"5.7.8 Learn more at\r\n5.7.8  https://example.org x", "5.7.8", "Learn more at https://example.org x"),
        (b"Refused", None, "Refused"),
        (b"3.7.1 Refused", None, "3.7.1 Refused"),
        (b"5.7.1234 Refused", None, "5.7.1234 Refused"),
        (b"5.7.1.2 Refused", None, "5.7.1.2 Refused"),
        (b"5.7.1: Refused", None, "5.7.1: Refused"),
        (b"Refused, 5.7.1 of our rules", None, "Refused, 5.7.1 of our rules"),
        (b"", None, ""),
    ],
)  # fmt: skip
def test_the_enhanced_code_is_read_at_the_beginning_of_each_line(text: bytes, enhanced: str | None, line: str) -> None:
    read = meaning_of(550, text)
    assert (read.enhanced_code, read.text) == (enhanced, line)


def test_an_enhanced_code_is_not_taken_for_one_that_begins_alike() -> None:
    assert meaning_of(535, b"5.7.31 Refused").meaning == meaning_of(535, b"").meaning


def test_the_code_of_a_text_is_read_from_a_str_as_from_bytes() -> None:
    assert meaning_of(550, "5.1.1 Größer ❤") == meaning_of(550, "5.1.1 Größer ❤".encode())


# The text.


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"a\r\n  b \t c\n", "a b c"),
        (b"gr\xfc\xdfe", "gr\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}e"),
        (b"\x1b[31mred\x07", "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}"),
        ("right\N{RIGHT-TO-LEFT OVERRIDE}left", "right\N{REPLACEMENT CHARACTER}left"),
        ("half\ud800", "half\N{REPLACEMENT CHARACTER}"),
        ("a\N{NO-BREAK SPACE}b\N{LINE SEPARATOR}c", "a b c"),
    ],
)
def test_the_text_is_one_line_that_can_be_printed(text: bytes | str, line: str) -> None:
    assert meaning_of(550, text).text == line


@pytest.mark.parametrize("text", [b"x" * 20_000_000, "ä " * 10_000_000, b"\n" * 20_000_000, b"again " * 3_000_000])
def test_of_a_huge_reply_only_the_beginning_is_read(text: bytes | str) -> None:
    read = meaning_of(451, text)
    assert read.outcome is T
    assert len(read.text) <= LOOKED_AT


# Greylisting.


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (f"450 <{ADDRESS}>: Recipient address rejected: Greylisted for 5 minutes", 300),  # sqlgrey
        (f"450 4.2.0 <{ADDRESS}>: Recipient address rejected: Greylisted for 300 seconds (see http://x)", 300),
        ("450 4.7.1 Greylisted, retry in 60 seconds", 60),
        ("451 4.7.1 Greylisting in action, please come back in 00:04:59", 299),  # milter-greylist
        ("451 4.7.1 Greylisting in action, please come back later", None),
        ("451 Greylisting enabled, try again in 1 minutes", 60),
        ("451 192.0.2.1 is not yet authorized to deliver mail from <a@b.c> to <d@e.f>. Please try later.", None),
        ("421 4.7.1 graylisted", None),
        ("450 4.2.0 Grey-listed: come back in 10 min", 600),
        ("450 4.2.0 Try again later, see http://postgrey.schweikert.ch/help/example.org.html", None),
        ("422 4.2.2 Greylisted, please try again in a few moments.", None),  # Stalwart
        ("451 Temporary failure, please try again later.", None),
        ("554 5.7.1 greylisted, try again in 2 minutes", 120),
    ],
)
def test_greylisting_is_known_by_its_text(reply: str, seconds: float | None) -> None:
    read = meaning_of(*split(reply), "RCPT")
    assert (read.outcome, read.greylisted, read.retry_after) == (T, True, seconds)


@pytest.mark.parametrize(
    "reply",
    [
        "451 4.7.1 Try again later",
        "450 4.7.1 Service unavailable - try again later",
        "421 4.3.0 Temporary System Problem. Try again later",
        "451 Temporary failure, please try again later. Virus scanner down",
        "450 4.7.1 Temporary failure, please try again later.",
        "250 greylisted",
    ],
)
def test_to_be_asked_for_another_try_alone_is_no_greylisting(reply: str) -> None:
    read = meaning_of(*split(reply), "RCPT")
    assert (read.outcome, read.greylisted) == (T, False)


@pytest.mark.parametrize("where", ["https://example.org/greylisting.html", "www.greylisting.org", "/?q=greylisted"])
def test_a_refusal_that_only_links_to_such_a_page_stays_a_refusal(where: str) -> None:
    read = meaning_of(554, f"5.7.1 Refused, see {where}", "RCPT")
    assert (read.outcome, read.greylisted) == (P, False)


# When to try again.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 5 minutes", 300),
        ("try again in 90s", 90),
        ("retry after 1 hour", 3600),
        ("wait 30 secs", 30),
        ("message delayed by 00:05:00", 300),
        ("Come back in 1 DAY", 86400),
        ("deferred for 2 hrs", 7200),
        ("retry in 0 seconds", 0),
    ],
)
def test_the_wait_that_a_server_asks_for_is_read(text: str, seconds: float) -> None:
    assert meaning_of(451, text).retry_after == seconds


@pytest.mark.parametrize(
    "text",
    [
        "Try again later",
        "You have sent 100 messages in 5 minutes",
        "Try again later. You have sent 100 messages in 5 minutes",
        "try again, limit of 30 messages in 5 minutes",
        "Timeout after 300 seconds",
        "try again in 2 days",
        "try again in 9999999 seconds",
        "come back in 99:99:99",
        "try again after 10:30:00",
        "wait 5 \N{LATIN SMALL LETTER LONG S}",
        "try again in \N{ARABIC-INDIC DIGIT FIVE} minutes",
    ],
)
def test_other_times_are_no_wait(text: str) -> None:
    assert meaning_of(451, text).retry_after is None


def test_a_refusal_for_good_asks_for_no_other_try() -> None:
    assert meaning_of(550, b"5.4.5 Limit reached, try again in 60 minutes").retry_after is None


# Whatever comes.

PHRASES = [
    "greylisted",
    "try again in ",
    "5.7.1 ",
    "4.2.0 ",
    "300 seconds",
    "00:05:00",
    " ",
    "\n",
    "too many recipients",
]
TEXTS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200),
    st.lists(st.one_of(st.sampled_from(PHRASES), st.text(max_size=3))).map("".join),
)


@given(st.integers(), TEXTS, st.sampled_from([None, *COMMANDS]))
def test_any_reply_is_read_and_the_reading_is_consistent(code: int, text: bytes | str, command: Command | None) -> None:
    for each in (code, code % 200 + 400):
        read = meaning_of(each, text, command)
        assert read.outcome in (T, P)
        assert read.code in (None, each)
        assert read.meaning
        assert read.text.isprintable()
        assert read.text == " ".join(read.text.split())
        assert not re.match(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}( |$)", read.text)
        assert read.enhanced_code is None or re.fullmatch(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", read.enhanced_code)
        assert read.retry_after is None or 0 <= read.retry_after <= LONGEST_WAIT
        if read.greylisted or read.retry_after is not None:
            assert read.outcome is T
        assert read == meaning_of(each, text, command)


@given(st.integers(0, 10**7), st.sampled_from(["s", "sec", "seconds", "min", "minutes", "h", "hours", "days"]))
def test_a_wait_is_never_longer_than_a_day(number: int, unit: str) -> None:
    wait = meaning_of(450, f"4.2.0 Greylisted, try again in {number} {unit}").retry_after
    assert wait is None or 0 <= wait <= LONGEST_WAIT
