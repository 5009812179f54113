"""Logging in: by which mechanism, what of it goes over the wire, and that the secret shows nowhere."""

from __future__ import annotations

import hmac
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import pytest

from asyncsmtp_bridge import PipelinedSMTP
from asyncsmtp_bridge.sasl import Credentials
from tests.servers import Talk, accept_login, smtp_server
from tests.wire.talking import Answer, Post, b64, certificates, hang_up, over_tls, plain, shows

PLAIN = b64("\0anna\0wonderland")
TOKEN = b64("user=anna\1auth=Bearer wonderland\1\1")
ASKING = ("334 " + b64("Username:"), "334 " + b64("Password:"), "235 welcome")
CHALLENGE = "<1896.697170952@mail.example.org>"
DIGEST = b64("anna " + hmac.new(b"wonderland", CHALLENGE.encode(), "md5").hexdigest())
ALL: dict[str, Answer] = {
    "AUTH PLAIN": "235 welcome",
    "AUTH LOGIN": ASKING,
    "AUTH CRAM-MD5": ("334 " + b64(CHALLENGE), "235 welcome"),
    "AUTH XOAUTH2": "235 welcome",
}


def said(post: Post) -> list[str]:
    """What came after EHLO."""
    assert post.verbs[0] == "EHLO"
    return post.commands[1:]


# Which mechanism.


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ("CRAM-MD5 LOGIN PLAIN", [f"AUTH PLAIN {PLAIN}"]),
        ("CRAM-MD5 LOGIN", ["AUTH LOGIN", b64("anna"), b64("wonderland")]),
        ("CRAM-MD5", ["AUTH CRAM-MD5", DIGEST]),
        ("GSSAPI LOGIN", ["AUTH LOGIN", b64("anna"), b64("wonderland")]),
        ("XOAUTH2 CRAM-MD5", ["AUTH CRAM-MD5", DIGEST]),
        ("plain", [f"AUTH PLAIN {PLAIN}"]),
    ],
)
def test_over_tls_the_simplest_mechanism_that_is_offered_is_taken(offered: str, expected: list[str]) -> None:
    with Post(f"AUTH {offered}", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        assert smtp.login("anna", "wonderland") == (235, b"welcome")
        assert said(post) == expected


@pytest.mark.parametrize("offered", ["CRAM-MD5 PLAIN LOGIN", "PLAIN CRAM-MD5"])
def test_without_tls_the_mechanism_that_does_not_tell_the_password_is_taken(offered: str) -> None:
    with Post(f"AUTH {offered}", answers=ALL) as post, plain(post) as smtp:
        assert smtp.login("anna", "wonderland") == (235, b"welcome")
        assert said(post) == ["AUTH CRAM-MD5", DIGEST]


@pytest.mark.parametrize("offered", ["PLAIN", "LOGIN", "PLAIN LOGIN"])
def test_without_tls_no_password_leaves(offered: str) -> None:
    with Post(f"AUTH {offered}", "STARTTLS", answers=ALL) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match=r"starttls\(\).*cleartext_login=True"):
            smtp.login("anna", "wonderland")
        smtp.noop()
        assert post.verbs == ["EHLO", "NOOP"]


def test_without_tls_no_access_token_leaves() -> None:
    with Post("AUTH XOAUTH2", answers=ALL) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match=r"starttls\(\).*cleartext_login=True"):
            smtp.login("anna", access_token="wonderland")
        smtp.noop()
        assert post.verbs == ["EHLO", "NOOP"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "plain", "LOGIN", "XOAUTH2"])
@pytest.mark.parametrize("at_once", [True, False])
def test_without_tls_auth_itself_tells_no_password(mechanism: str, at_once: bool) -> None:
    with Post(f"AUTH {mechanism}", answers=ALL) as post, plain(post) as smtp:
        smtp.user, smtp.password = "anna", "wonderland"
        with pytest.raises(smtplib.SMTPNotSupportedError, match=r"starttls\(\)"):
            smtp.auth(mechanism, smtp.auth_plain, initial_response_ok=at_once)
        smtp.noop()
        assert post.verbs == ["NOOP"]


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ("PLAIN LOGIN", [f"AUTH PLAIN {PLAIN}"]),
        ("LOGIN", ["AUTH LOGIN", b64("anna"), b64("wonderland")]),
        ("PLAIN CRAM-MD5", ["AUTH CRAM-MD5", DIGEST]),
    ],
)
def test_who_allows_it_tells_the_password_in_clear_text(offered: str, expected: list[str]) -> None:
    with Post(f"AUTH {offered}", answers=ALL) as post, plain(post, cleartext_login=True) as smtp:
        smtp.login("anna", "wonderland")
        assert said(post) == expected


def test_who_allows_it_tells_an_access_token_in_clear_text() -> None:
    with Post("AUTH XOAUTH2", answers=ALL) as post, plain(post, cleartext_login=True) as smtp:
        smtp.login("anna", access_token="wonderland")
        assert said(post) == [f"AUTH XOAUTH2 {TOKEN}"]


def test_mechanisms_that_are_offered_in_the_old_way_count() -> None:
    with Post("AUTH=LOGIN PLAIN", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("anna", "wonderland")
        assert said(post) == [f"AUTH PLAIN {PLAIN}"]


def test_who_said_ehlo_already_does_not_say_it_again() -> None:
    with Post("AUTH PLAIN", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.ehlo()
        smtp.login("anna", "wonderland")
        assert post.verbs == ["EHLO", "AUTH"]


# Where nothing suits.


def test_a_server_without_auth_is_named() -> None:
    with Post("SIZE") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="AUTH extension not supported") as caught:
            smtp.login("anna", "wonderland")
        assert "starttls" not in str(caught.value).lower()


def test_a_server_that_offers_auth_only_after_starttls_is_named_with_what_to_do() -> None:
    with Post("STARTTLS") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match=r"starttls\(\)"):
            smtp.login("anna", "wonderland")
        smtp.noop()
        assert post.verbs == ["EHLO", "NOOP"]


def test_a_server_that_knows_no_ehlo_has_no_login() -> None:
    with Post(answers={"EHLO": "502 what?"}) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            smtp.login("anna", "wonderland")
        assert post.verbs == ["EHLO", "HELO"]


def test_mechanisms_that_are_not_known_here_are_named() -> None:
    with Post("AUTH GSSAPI SCRAM-SHA-256", is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="GSSAPI SCRAM-SHA-256"):
            smtp.login("anna", "wonderland")
        smtp.noop()
        assert post.verbs == ["EHLO", "NOOP"]


def test_a_token_is_not_sent_as_a_password() -> None:
    with Post("AUTH PLAIN LOGIN", is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="an access token was given"):
            smtp.login("anna", access_token="wonderland")
        smtp.noop()
        assert post.verbs == ["EHLO", "NOOP"]


@pytest.mark.parametrize(
    "secrets", [{}, {"password": "wonderland", "access_token": "wonderland"}], ids=["none", "both"]
)
def test_one_secret_is_given_and_not_two(secrets: dict[str, Any]) -> None:
    smtp = PipelinedSMTP()
    with pytest.raises(ValueError, match="a password, or an access_token=") as caught:
        smtp.login("anna", **secrets)
    assert "wonderland" not in str(caught.value)


@pytest.mark.parametrize(("user", "password"), [("an\0na", "wonderland"), ("anna", "wonder\0land")])
def test_a_nul_ends_no_field_of_plain(user: str, password: str) -> None:
    with Post("AUTH PLAIN", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(ValueError, match="NUL"):
            smtp.login(user, password)
        smtp.noop()
        assert post.verbs == ["NOOP"]


@pytest.mark.parametrize(("user", "token"), [("anna\1auth=Bearer x", "wonderland"), ("anna", "wonder\1land")])
def test_a_control_character_ends_no_field_of_xoauth2(user: str, token: str) -> None:
    with Post("AUTH XOAUTH2", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(ValueError, match="control characters"):
            smtp.login(user, access_token=token)
        smtp.noop()
        assert post.verbs == ["NOOP"]


# Refusals.


@pytest.mark.parametrize("offered", ["PLAIN LOGIN CRAM-MD5", "LOGIN CRAM-MD5"])
def test_a_refused_password_is_tried_once_only(offered: str) -> None:
    answers: dict[str, Answer] = {"AUTH PLAIN": "535 5.7.8 no", "AUTH LOGIN": (*ASKING[:2], "535 5.7.8 no")}
    with Post(f"AUTH {offered}", answers=answers, is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp.login("anna", "wonderland")
        assert (caught.value.smtp_code, caught.value.smtp_error) == (535, b"5.7.8 no")
        assert post.verbs.count("AUTH") == 1


@pytest.mark.parametrize("code", [432, 454, 530, 535])
def test_another_refusal_of_a_login_is_final(code: int) -> None:
    answers: dict[str, Answer] = {"AUTH": f"{code} no"}
    with Post("AUTH PLAIN LOGIN", answers=answers, is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp.login("anna", "wonderland")
        assert caught.value.smtp_code == code
        assert post.verbs.count("AUTH") == 1


@pytest.mark.parametrize("refusal", ["504 5.5.4 unrecognized", "502 5.5.1 not implemented", "500 5.5.2 what?"])
def test_where_a_mechanism_turns_out_to_be_unsupported_the_next_one_is_tried(refusal: str) -> None:
    answers = {**ALL, "AUTH PLAIN": refusal}
    with Post("AUTH PLAIN LOGIN", answers=answers, is_encrypted=True) as post, over_tls(post) as smtp:
        assert smtp.login("anna", "wonderland") == (235, b"welcome")
        assert said(post) == [f"AUTH PLAIN {PLAIN}", "AUTH LOGIN", b64("anna"), b64("wonderland")]


def test_where_the_one_that_does_not_tell_the_password_turns_out_to_be_unsupported_it_is_not_told() -> None:
    answers = {**ALL, "AUTH CRAM-MD5": "504 5.5.4 unrecognized"}
    with Post("AUTH CRAM-MD5 PLAIN LOGIN", answers=answers) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPException):
            smtp.login("anna", "wonderland")
        smtp.noop()
        assert said(post) == ["AUTH CRAM-MD5", "noop"]


def test_where_no_mechanism_is_supported_the_last_refusal_is_raised() -> None:
    answers: dict[str, Answer] = {"AUTH PLAIN": "502 neither", "AUTH LOGIN": "504 nor"}
    with Post("AUTH PLAIN LOGIN", answers=answers, is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError, match="nor"):
            smtp.login("anna", "wonderland")
        assert smtp.noop()[0] == 250


def test_a_login_that_ends_the_session_closes_it() -> None:
    with Post("AUTH PLAIN LOGIN", answers={"AUTH": "421 4.7.0 too many"}, is_encrypted=True) as post:
        smtp = over_tls(post)
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp.login("anna", "wonderland")
        assert caught.value.smtp_code == 421
        assert smtp.sock is None
        assert post.verbs.count("AUTH") == 1


def test_that_one_is_logged_in_already_is_no_news_to_who_never_was() -> None:
    with Post("AUTH PLAIN", answers={"AUTH": "503 5.5.1 no"}, is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp.login("anna", "wonderland")
        assert caught.value.smtp_code == 503


def test_who_is_logged_in_may_log_in_again() -> None:
    with Post("AUTH PLAIN", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("anna", "wonderland")
        post.answers["AUTH"] = post.answers["AUTH PLAIN"] = "503 5.5.1 already authenticated"
        assert smtp.login("anna", "wonderland")[0] == 503


def test_who_is_logged_in_can_be_refused() -> None:
    with Post("AUTH PLAIN", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("anna", "wonderland")
        post.answers["AUTH PLAIN"] = "535 5.7.8 no"
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp.login("anna", "wonderland")
        assert caught.value.smtp_code == 535


@pytest.mark.parametrize("name", ["X\r\nVRFY evil", "PLAIN ", "", "X Y", "A" * 21])
def test_the_name_of_a_mechanism_is_nothing_else(name: str) -> None:
    with Post("AUTH PLAIN") as post, PipelinedSMTP("127.0.0.1", post.port) as smtp:
        smtp.ehlo()
        with pytest.raises(ValueError, match="mechanism"):
            smtp.auth(name, lambda challenge=None: "x")
        assert smtp.noop()[0] == 250


def test_who_is_logged_in_does_not_become_somebody_else() -> None:
    with Post("AUTH PLAIN", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("anna", "wonderland")
        post.answers["AUTH PLAIN"] = "503 5.5.1 already authenticated"
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp.login("bert", "another")
        assert caught.value.smtp_code == 503


def test_a_login_over_one_connection_says_nothing_of_the_next() -> None:
    with Post("AUTH PLAIN", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("anna", "wonderland")
        smtp.connect("localhost", post.port)
        post.answers["AUTH PLAIN"] = "503 5.5.1 no"
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("anna", "wonderland")


def test_a_login_in_clear_text_says_nothing_of_what_is_encrypted() -> None:
    # The server must discard what it was told before the handshake (RFC 3207, section 4.2).
    with Post("AUTH PLAIN", "STARTTLS", answers=ALL) as post, plain(post, cleartext_login=True) as smtp:
        smtp.login("anna", "wonderland")
        smtp.starttls(context=certificates().client_context)
        post.answers["AUTH PLAIN"] = "503 5.5.1 no"
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("anna", "wonderland")


# Challenges.


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_server_that_never_stops_challenging_is_left(mechanism: str) -> None:
    def challenge(talk: Talk) -> None:
        while True:
            talk.say("334 " + b64("and?"))
            talk.expect()

    with Post(f"AUTH {mechanism}", answers={"AUTH": challenge}, is_encrypted=True) as post:
        smtp = over_tls(post)
        with pytest.raises(smtplib.SMTPException, match="infinite loop"):
            smtp.login("anna", "wonderland")
        assert smtp.sock is None


def test_what_is_said_after_a_challenge_that_was_no_base64_is_not_taken_for_the_answer_to_it() -> None:
    answers: dict[str, Answer] = {"AUTH": ("334 abcde", "501 cancelled")}
    with Post("AUTH CRAM-MD5", answers=answers) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPException, match="not base64"):
            smtp.login("anna", "wonderland")
        if smtp.sock is not None:
            assert smtp.noop() == (250, b"OK")
        assert said(post)[:2] in (["AUTH CRAM-MD5"], ["AUTH CRAM-MD5", "*"])


def test_what_is_said_after_an_authobject_that_failed_is_not_taken_for_its_answer() -> None:
    def fail(challenge: bytes | None = None) -> str:
        raise KeyError("no such key")

    answers: dict[str, Answer] = {"AUTH": ("334 " + b64("and?"), "501 cancelled")}
    with Post("AUTH X-OWN", answers=answers) as post, plain(post) as smtp:
        smtp.ehlo()
        with pytest.raises(KeyError):
            smtp.auth("X-OWN", fail, initial_response_ok=False)
        if smtp.sock is not None:
            assert smtp.noop() == (250, b"OK")
        assert said(post)[:2] in (["AUTH X-OWN"], ["AUTH X-OWN", "*"])


def test_where_there_is_no_first_answer_an_empty_challenge_is_answered() -> None:
    answers: dict[str, Answer] = {"AUTH": ("334 ", "235 welcome")}
    with Post("AUTH PLAIN", answers=answers, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("anna", "wonderland", initial_response_ok=False)
        assert said(post) == ["AUTH PLAIN", PLAIN]


# XOAUTH2.


def test_an_access_token_goes_with_the_command() -> None:
    with Post("AUTH PLAIN XOAUTH2", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        assert smtp.login("anna", access_token="wonderland") == (235, b"welcome")
        assert said(post) == [f"AUTH XOAUTH2 {TOKEN}"]


def test_the_error_of_a_refused_token_is_answered_by_an_empty_line() -> None:
    error = b64('{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}')
    answers: dict[str, Answer] = {"AUTH": (f"334 {error}", "535 5.7.8 refused")}
    with Post("AUTH XOAUTH2", answers=answers, is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError, match="refused"):
            smtp.login("anna", access_token="wonderland")
        assert said(post) == [f"AUTH XOAUTH2 {TOKEN}", ""]


@pytest.mark.parametrize(("size", "goes_with_it"), [(372, True), (373, False), (3000, False)])
def test_a_token_goes_with_the_command_if_the_line_has_512_octets_at_most(size: int, goes_with_it: bool) -> None:
    token = "t" * (size - len("user=anna\1auth=Bearer \1\1"))
    encoded = b64(f"user=anna\1auth=Bearer {token}\1\1")
    answers: dict[str, Answer] = {"AUTH": "235 welcome" if goes_with_it else ("334 ", "235 welcome")}
    with Post("AUTH XOAUTH2", answers=answers, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("anna", access_token=token)
        assert said(post) == ([f"AUTH XOAUTH2 {encoded}"] if goes_with_it else ["AUTH XOAUTH2", encoded])
        assert len(post.received[1]) + len("\r\n") <= 512


def test_a_refused_token_that_was_too_long_for_the_command_ends_the_login_as_any_other() -> None:
    error = b64('{"status":"401"}')
    answers: dict[str, Answer] = {"AUTH": ("334 ", f"334 {error}", "535 5.7.8 refused")}
    with Post("AUTH XOAUTH2", answers=answers, is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError, match="refused"):
            smtp.login("anna", access_token="t" * 1000)
        assert said(post)[2] == ""


def test_a_token_waits_for_the_challenge_where_that_is_asked_for() -> None:
    answers: dict[str, Answer] = {"AUTH": ("334 ", "235 welcome")}
    with Post("AUTH XOAUTH2", answers=answers, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("anna", access_token="wonderland", initial_response_ok=False)
        assert said(post) == ["AUTH XOAUTH2", TOKEN]


# What is not ASCII.


@pytest.mark.parametrize(
    ("mechanism", "expected"),
    [
        ("PLAIN", ["AUTH PLAIN " + b64("\0jörg\0schlüßel")]),
        ("LOGIN", ["AUTH LOGIN", b64("jörg"), b64("schlüßel")]),
        (
            "CRAM-MD5",
            [
                "AUTH CRAM-MD5",
                b64("jörg " + hmac.new("schlüßel".encode(), CHALLENGE.encode(), "md5").hexdigest()),
            ],
        ),
    ],
)
def test_names_and_passwords_are_utf_8(mechanism: str, expected: list[str]) -> None:
    with Post(f"AUTH {mechanism}", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("jörg", "schlüßel")
        assert said(post) == expected


# smtplib's own ways.


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_the_authobjects_of_smtplib_work(mechanism: str, at_once: bool) -> None:
    with (
        smtp_server(authenticator=accept_login, auth_require_tls=False) as server,
        PipelinedSMTP("127.0.0.1", server.port, cleartext_login=True) as smtp,
    ):
        smtp.ehlo()
        smtp.user, smtp.password = "anna", "right"
        answer = smtp.auth_plain if mechanism == "PLAIN" else smtp.auth_login
        assert smtp.auth(mechanism, answer, initial_response_ok=at_once)[0] == 235


@pytest.mark.parametrize("at_once", [True, False])
def test_the_authobject_of_smtplib_for_cram_md5_works(at_once: bool) -> None:
    with Post("AUTH CRAM-MD5", answers=ALL) as post, plain(post) as smtp:
        smtp.ehlo()
        smtp.user, smtp.password = "anna", "wonderland"
        assert smtp.auth("CRAM-MD5", smtp.auth_cram_md5, initial_response_ok=at_once) == (235, b"welcome")
        assert said(post) == ["AUTH CRAM-MD5", DIGEST]


def test_an_authobject_of_ones_own_is_called_with_each_challenge() -> None:
    challenges: list[bytes | None] = []

    def answer(challenge: bytes | None = None) -> str:
        challenges.append(challenge)
        return ["one", "two", "three"][len(challenges) - 1]

    answers: dict[str, Answer] = {"AUTH": ("334 " + b64("a"), "334 " + b64("b"), "235 welcome")}
    with Post("AUTH X-OWN", answers=answers) as post, plain(post) as smtp:
        smtp.ehlo()
        assert smtp.auth("x-own", answer) == (235, b"welcome")
        assert said(post) == [f"AUTH X-OWN {b64('one')}", b64("two"), b64("three")]
    assert challenges == [None, b"a", b"b"]


def test_an_empty_first_answer_is_told_from_none() -> None:
    # RFC 4954, section 4: it is sent as a single equals sign.
    with Post("AUTH EXTERNAL", answers={"AUTH": "235 welcome"}) as post, plain(post) as smtp:
        smtp.ehlo()
        smtp.auth("EXTERNAL", lambda challenge=None: "")
        assert said(post) == ["AUTH EXTERNAL ="]


def test_a_real_server_takes_the_right_password_and_refuses_another() -> None:
    with (
        smtp_server(authenticator=accept_login, tls_context=certificates().server_context) as server,
        PipelinedSMTP("localhost", server.port) as smtp,
    ):
        smtp.starttls(context=certificates().client_context)
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            smtp.login("anna", "wrong")
        assert caught.value.smtp_code == 535
        assert smtp.login("anna", "right")[0] == 235


# Secrets.


def drop_after_the_answers(talk: Talk) -> None:
    talk.say("334 " + b64(CHALLENGE))
    talk.expect()


def challenge_badly(talk: Talk) -> None:
    talk.say("334 " + b64("Username:"))
    talk.expect()
    talk.say("334 abcde")
    talk.expect()


def challenge_for_ever(talk: Talk) -> None:
    while True:
        talk.say("334 " + b64("and?"))
        talk.expect()


FAILURES: dict[str, tuple[str, Answer]] = {
    "PLAIN refused": ("PLAIN", "535 no"),
    "PLAIN refused, and LOGIN": ("PLAIN LOGIN", "504 no"),
    "LOGIN refused": ("LOGIN", (*ASKING[:2], "535 no")),
    "CRAM-MD5 refused": ("CRAM-MD5", ("334 " + b64(CHALLENGE), "535 no")),
    "XOAUTH2 refused": ("XOAUTH2", ("334 " + b64("{}"), "535 no")),
    "the server hangs up at PLAIN": ("PLAIN", hang_up),
    "the server hangs up at XOAUTH2": ("XOAUTH2", hang_up),
    "the server hangs up after an answer": ("LOGIN", drop_after_the_answers),
    "the server closes at PLAIN": ("PLAIN", "421 no"),
    "PLAIN challenged for ever": ("PLAIN", challenge_for_ever),
    "LOGIN challenged for ever": ("LOGIN", challenge_for_ever),
    "LOGIN challenged badly": ("LOGIN", challenge_badly),
    "too long for the command": ("XOAUTH2", ("334 ", "535 no")),
    "nothing suits": ("GSSAPI", "535 no"),
}


@pytest.fixture(params=FAILURES)
def failed_login(request: pytest.FixtureRequest) -> Callable[[int], tuple[str, BaseException]]:
    """Log in in vain; return the secret, and what was raised."""
    offered, answer = FAILURES[request.param]
    secret = "wonderland" * 60 if request.param == "too long for the command" else "wonderland"

    def log_in(debuglevel: int = 0) -> tuple[str, BaseException]:
        with Post(f"AUTH {offered}", answers={"AUTH": answer}, is_encrypted=True) as post:
            smtp = over_tls(post)
            smtp.set_debuglevel(debuglevel)
            with pytest.raises(smtplib.SMTPException) as caught:
                if offered == "XOAUTH2":
                    smtp.login("anna", access_token=secret)
                else:
                    smtp.login("anna", secret)
            smtp.close()
            return secret, caught.value

    return log_in


def variables_of(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """Return what error trackers collect: the variables of all frames below the test, as they show themselves."""
    while error is not None:
        tb: TracebackType | None = error.__traceback__
        while tb is not None:
            frame = tb.tb_frame
            module = frame.f_globals.get("__name__", "")
            if not module.startswith(("tests.", "_pytest", "pytest")):
                for name, value in frame.f_locals.items():
                    yield f"{module}.{frame.f_code.co_name}: {name}", repr(value)
            tb = tb.tb_next
        error = error.__cause__ or error.__context__


def test_no_frame_of_a_failed_login_shows_the_secret(
    failed_login: Callable[[int], tuple[str, BaseException]],
) -> None:
    secret, error = failed_login(0)
    assert [place for place, shown in variables_of(error) if shows(shown, secret)] == []


def test_no_frame_of_a_login_that_could_not_be_sent_shows_the_secret() -> None:
    with Post("AUTH PLAIN") as post:
        smtp = plain(post, cleartext_login=True)
        smtp.ehlo()
        assert smtp.sock is not None
        smtp.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            smtp.login("anna", "wonderland")
        assert [place for place, shown in variables_of(caught.value) if shows(shown, "wonderland")] == []


def test_no_text_of_a_failed_login_shows_the_secret(failed_login: Callable[[int], tuple[str, BaseException]]) -> None:
    secret, error = failed_login(0)
    link: BaseException | None = error
    while link is not None:
        assert not shows(repr(link) + str(link), secret)
        link = link.__cause__ or link.__context__


def test_debugging_output_of_a_failed_login_shows_no_secret(
    failed_login: Callable[[int], tuple[str, BaseException]], capsys: pytest.CaptureFixture[str]
) -> None:
    secret, _ = failed_login(1)
    output = capsys.readouterr().err
    assert "ehlo" in output.lower()
    assert not shows(output, secret)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_debugging_output_of_a_login_shows_no_secret(mechanism: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Post(f"AUTH {mechanism}", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.set_debuglevel(1)
        smtp.login("anna", "wonderland")
    output = capsys.readouterr().err
    assert "235" in output
    assert not shows(output, "wonderland")
    assert DIGEST not in output


def test_debugging_output_after_a_login_is_whole_again(capsys: pytest.CaptureFixture[str]) -> None:
    with Post("AUTH PLAIN", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.set_debuglevel(1)
        smtp.login("anna", "wonderland")
        smtp.noop()
    assert "noop" in capsys.readouterr().err.lower()


def test_a_session_shows_no_secret() -> None:
    with Post("AUTH PLAIN", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        smtp.login("anna", "wonderland")
        assert not shows(repr(smtp), "wonderland")
        assert "localhost" in repr(smtp)
        assert "encrypted" in repr(smtp)


@pytest.mark.parametrize("who", [Credentials("anna", "wonderland"), Credentials("anna", None, "wonderland")])
def test_credentials_show_no_secret(who: Credentials) -> None:
    for shown in (repr(who), str(who), f"{who}", f"{who!r}"):
        assert "anna" in shown
        assert "wonderland" not in shown


@pytest.mark.parametrize(
    "secrets",
    [
        {"password": "wonder\0land"},
        {"password": "wonder\udc80land"},
        {"access_token": "wonder\1land"},
        {"access_token": "wonder\udc80land"},
    ],
    ids=["NUL", "surrogate", "control character in a token", "surrogate in a token"],
)
def test_what_no_mechanism_can_carry_is_refused_without_showing_it(secrets: dict[str, Any]) -> None:
    with Post("AUTH PLAIN XOAUTH2", answers=ALL, is_encrypted=True) as post, over_tls(post) as smtp:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - which text is not the point
            smtp.login("anna", **secrets)
        assert "wonder" not in str(caught.value) + repr(caught.value)
        assert [place for place, shown in variables_of(caught.value) if "wonder" in shown] == []
        smtp.noop()
        assert post.verbs in (["NOOP"], ["EHLO", "NOOP"])


def test_tls_is_what_the_socket_says() -> None:
    with Post("AUTH PLAIN", "STARTTLS", answers=ALL) as post, plain(post) as smtp:
        smtp.starttls(context=certificates().client_context)
        assert isinstance(smtp.sock, ssl.SSLSocket)
        smtp.login("anna", "wonderland")
        assert post.verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH"]
