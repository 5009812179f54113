"""Connecting, securing and leaving: which certificates count, what is remembered, and how long all that may take."""

from __future__ import annotations

import gc
import smtplib
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from asyncsmtp_bridge import (
    AsyncSMTP,
    DeliveryUnknown,
    PipelinedLMTP,
    PipelinedSMTP,
    PipelinedSMTP_SSL,
    configure,
    connection,
    dialogue,
)
from tests.servers import ScriptedServer, Server, Talk, smtp_server
from tests.wire.talking import (
    ANNA,
    BERT,
    NAME,
    Post,
    certificates,
    dripping,
    hang_up,
    over_tls,
    plain,
    stay_silent,
)


@pytest.fixture
def implicit() -> Iterator[Server]:
    with smtp_server(tls=certificates().server_context) as server:
        yield server


@pytest.fixture
def offering() -> Iterator[Server]:
    with smtp_server(tls_context=certificates().server_context) as server:
        yield server


@pytest.fixture
def trusting() -> ssl.SSLContext:
    return certificates().client_context


@contextmanager
def nothing_left_open() -> Iterator[None]:
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    assert [str(each.message) for each in caught] == []


def advice(error: BaseException) -> bool:
    text = str(error)
    return "smtplib would have accepted" in text and "context=" in text and "configure(tls_context=" in text


# Certificates.


def test_implicit_tls_verifies_and_says_how_to_trust(implicit: Server) -> None:
    smtplib.SMTP_SSL("localhost", implicit.port, NAME).quit()  # takes anything
    with nothing_left_open(), pytest.raises(ssl.SSLCertVerificationError) as caught:
        PipelinedSMTP_SSL("localhost", implicit.port)
    assert advice(caught.value)
    assert caught.value.verify_code == 20


def test_starttls_verifies_says_how_to_trust_and_closes(offering: Server) -> None:
    with nothing_left_open():
        smtp = PipelinedSMTP("localhost", offering.port)
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            smtp.starttls()
        assert smtp.sock is None
    assert advice(caught.value)


def test_nothing_is_said_in_clear_text_after_a_refused_certificate(offering: Server) -> None:
    smtp = PipelinedSMTP("localhost", offering.port)
    with pytest.raises(ssl.SSLCertVerificationError):
        smtp.starttls()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        smtp.sendmail(ANNA, BERT, "x")
    assert offering.mailbox.envelopes == []


def test_implicit_tls_refuses_a_name_that_the_certificate_has_not(implicit: Server, trusting: ssl.SSLContext) -> None:
    with nothing_left_open(), pytest.raises(ssl.SSLCertVerificationError) as caught:
        PipelinedSMTP_SSL("127.0.0.1", implicit.port, context=trusting)
    assert not advice(caught.value)  # who brings a context knows about contexts


def test_starttls_refuses_a_name_that_the_certificate_has_not(offering: Server, trusting: ssl.SSLContext) -> None:
    smtp = PipelinedSMTP("127.0.0.1", offering.port)
    with pytest.raises(ssl.SSLCertVerificationError):
        smtp.starttls(context=trusting)
    assert smtp.sock is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_deferred_connection_verifies_the_name_that_it_was_connected_to(implicit: Server, host: str) -> None:
    smtp = PipelinedSMTP_SSL()
    with nothing_left_open(), pytest.raises(ssl.SSLCertVerificationError) as caught:
        smtp.connect(host, implicit.port)
    assert advice(caught.value)
    assert smtp.sock is None


@pytest.mark.parametrize("use", ["at once", "host:port", "deferred", "deferred host:port", "by name"])
def test_implicit_tls_works_with_a_context_however_one_connects(
    implicit: Server, trusting: ssl.SSLContext, use: str
) -> None:
    port = implicit.port
    if use == "at once":
        smtp = PipelinedSMTP_SSL("localhost", port, context=trusting)
    elif use == "host:port":
        smtp = PipelinedSMTP_SSL(f"localhost:{port}", context=trusting)
    else:
        smtp = PipelinedSMTP_SSL(context=trusting)
        if use == "deferred":
            smtp.connect("localhost", port)
        elif use == "by name":
            smtp.connect(port=port, host="localhost")
        else:
            smtp.connect(f"localhost:{port}")
    with smtp:
        assert smtp.sendmail(ANNA, BERT, "x") == {}
        assert isinstance(smtp.sock, ssl.SSLSocket)
        assert smtp.sock.context is trusting


@pytest.mark.parametrize("use", ["at once", "host:port", "deferred", "deferred host:port", "by name"])
def test_starttls_works_with_a_context_however_one_connects(
    offering: Server, trusting: ssl.SSLContext, use: str
) -> None:
    port = offering.port
    if use == "at once":
        smtp = PipelinedSMTP("localhost", port)
    elif use == "host:port":
        smtp = PipelinedSMTP(f"localhost:{port}")
    else:
        smtp = PipelinedSMTP()
        if use == "deferred":
            smtp.connect("localhost", port)
        elif use == "by name":
            smtp.connect(port=port, host="localhost")
        else:
            smtp.connect(f"localhost:{port}")
    with smtp:
        assert smtp.starttls(context=trusting)[0] == 220
        assert smtp.sendmail(ANNA, BERT, "x") == {}
        assert isinstance(smtp.sock, ssl.SSLSocket)


def test_the_context_of_configure_is_the_one_where_none_is_given(
    implicit: Server, offering: Server, trusting: ssl.SSLContext
) -> None:
    configure(tls_context=lambda: trusting)
    with PipelinedSMTP_SSL("localhost", implicit.port) as smtp:
        assert smtp.noop()[0] == 250
    with PipelinedSMTP("localhost", offering.port) as smtp:
        assert smtp.starttls()[0] == 220


def test_a_context_that_accepts_anything_can_be_passed_on_purpose(implicit: Server, offering: Server) -> None:
    anything = ssl._create_unverified_context()
    with PipelinedSMTP_SSL("127.0.0.1", implicit.port, context=anything) as smtp:
        assert smtp.noop()[0] == 250
    with PipelinedSMTP("127.0.0.1", offering.port) as smtp:
        assert smtp.starttls(context=anything)[0] == 220


async def test_the_mirror_encrypts_such_sessions_as_others(offering: Server, trusting: ssl.SSLContext) -> None:
    smtp = AsyncSMTP(smtp_class=PipelinedSMTP)
    await smtp.connect(f"localhost:{offering.port}")
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        await smtp.starttls()
    assert advice(caught.value)
    await smtp.connect("localhost", offering.port)
    await smtp.starttls(context=trusting)
    assert await smtp.sendmail(ANNA, BERT, "x") == {}
    await smtp.quit()


def test_lmtp_can_be_encrypted_too(trusting: ssl.SSLContext) -> None:
    with Post("STARTTLS") as post, PipelinedLMTP("localhost", post.port, NAME) as lmtp:
        lmtp.starttls(context=trusting)
        assert lmtp.noop()[0] == 250
        assert post.verbs == ["LHLO", "STARTTLS", "NOOP"]


# STARTTLS.


def test_what_comes_in_clear_text_after_the_reply_to_starttls_ends_the_connection(trusting: ssl.SSLContext) -> None:
    def inject(talk: Talk) -> None:
        talk.say("220 go on\r\n250-injected\r\n250 AUTH PLAIN")
        talk.wait_for_the_end()

    with Post("STARTTLS", answers={"STARTTLS": inject}) as post, nothing_left_open():
        smtp = plain(post)
        with pytest.raises(smtplib.SMTPException, match="more than its reply to STARTTLS"):
            smtp.starttls(context=trusting)
        assert smtp.sock is None


def test_a_part_of_a_line_in_clear_text_after_the_reply_to_starttls_ends_the_connection(
    trusting: ssl.SSLContext,
) -> None:
    def inject(talk: Talk) -> None:
        talk.connection.sendall(b"220 go on\r\n250")
        talk.wait_for_the_end()

    with Post("STARTTLS", answers={"STARTTLS": inject}) as post:
        smtp = plain(post)
        with pytest.raises(smtplib.SMTPException, match="more than its reply to STARTTLS"):
            smtp.starttls(context=trusting)
        assert smtp.sock is None


def test_ehlo_is_said_before_starttls_and_again_after_it(trusting: ssl.SSLContext) -> None:
    with Post("STARTTLS") as post, plain(post) as smtp:
        smtp.starttls(context=trusting)
        smtp.sendmail(ANNA, BERT, "x")
        assert post.verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]


def test_what_was_offered_in_clear_text_does_not_count_after_starttls(trusting: ssl.SSLContext) -> None:
    with Post("STARTTLS", "SIZE 1", "AUTH PLAIN") as post, plain(post) as smtp:
        smtp.starttls(context=trusting)
        assert smtp.ehlo_resp is None
        assert not smtp.has_extn("auth")
        post.offered = ("DSN",)
        assert smtp.sendmail(ANNA, BERT, "longer than one octet") == {}
        assert smtp.esmtp_features == {"dsn": ""}


def test_where_starttls_is_refused_the_session_goes_on(trusting: ssl.SSLContext) -> None:
    with Post("STARTTLS", answers={"STARTTLS": "454 4.7.0 not now"}) as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            smtp.starttls(context=trusting)
        assert (caught.value.smtp_code, caught.value.smtp_error) == (454, b"4.7.0 not now")
        assert smtp.sendmail(ANNA, BERT, "x") == {}


def test_where_starttls_is_not_offered_it_is_not_asked_for(trusting: ssl.SSLContext) -> None:
    with Post("SIZE") as post, plain(post) as smtp:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="STARTTLS"):
            smtp.starttls(context=trusting)
        assert smtp.noop()[0] == 250
        assert post.verbs == ["EHLO", "NOOP"]


def speak_no_tls(talk: Talk) -> None:
    talk.say("220 go on")
    talk.connection.recv(1)  # now the handshake has begun
    talk.say("250 what is that?")
    talk.wait_for_the_end()


def test_a_server_that_speaks_no_tls_after_all_is_left(trusting: ssl.SSLContext) -> None:
    with Post("STARTTLS", answers={"STARTTLS": speak_no_tls}) as post, nothing_left_open():
        smtp = plain(post)
        with pytest.raises(ssl.SSLError):
            smtp.starttls(context=trusting)
        assert smtp.sock is None


def hang_up_in_the_handshake(talk: Talk) -> None:
    talk.say("220 go on")
    talk.connection.recv(1)


def test_a_server_that_hangs_up_in_the_handshake_leaves_no_socket(trusting: ssl.SSLContext) -> None:
    with Post("STARTTLS", answers={"STARTTLS": hang_up_in_the_handshake}) as post, nothing_left_open():
        smtp = plain(post)
        with pytest.raises(OSError):  # noqa: PT011 - which one is the system's
            smtp.starttls(context=trusting)
        assert smtp.sock is None


def test_a_server_that_speaks_no_tls_at_all_leaves_no_socket(trusting: ssl.SSLContext) -> None:
    with Post() as post, nothing_left_open(), pytest.raises(ssl.SSLError):
        PipelinedSMTP_SSL("localhost", post.port, context=trusting)


# The names of hosts.


@pytest.fixture
def no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object) -> str:
        raise AssertionError("the name of this host was looked up")

    for name in ("getfqdn", "gethostbyname", "gethostbyaddr", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, look_up)


@pytest.mark.usefixtures("no_resolver")
@pytest.mark.parametrize("make", [PipelinedSMTP, PipelinedSMTP_SSL, PipelinedLMTP])
def test_making_a_session_looks_no_name_up(make: Callable[[], smtplib.SMTP]) -> None:
    assert make().local_hostname


@pytest.mark.usefixtures("no_resolver")
def test_sending_a_mail_looks_this_hosts_name_up_nowhere() -> None:
    with Post() as post, PipelinedSMTP("127.0.0.1", post.port) as smtp:
        assert smtp.sendmail(ANNA, BERT, "x") == {}


@pytest.mark.parametrize("hostname", ["laptop", "laptop.local", "localhost.localdomain", "jörgs.rechner.example"])
def test_a_host_without_a_full_name_gives_its_address(monkeypatch: pytest.MonkeyPatch, hostname: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: hostname)
    with Post() as post, PipelinedSMTP("127.0.0.1", post.port) as smtp:
        smtp.ehlo()
        assert post.commands[0].split()[1] == "[127.0.0.1]"


def test_a_host_with_a_full_name_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "web1.example.net")
    with Post() as post, PipelinedSMTP("127.0.0.1", post.port) as smtp:
        smtp.ehlo()
        assert post.commands[0].split()[1] == "web1.example.net"


def test_local_hostname_is_what_ehlo_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    with Post() as post, plain(post) as smtp:
        smtp.ehlo()
        assert post.commands[0].split()[1] == NAME == smtp.local_hostname


def test_the_name_that_is_given_to_ehlo_itself_counts() -> None:
    with Post() as post, plain(post) as smtp:
        smtp.ehlo("other.example.org")
        assert post.commands[0].split()[1] == "other.example.org"


def test_a_host_without_a_full_name_gives_its_address_of_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("the system has no IPv6")
    with Post(listener=listener) as post, PipelinedSMTP("::1", post.port) as smtp:
        smtp.ehlo()
        assert post.commands[0].split()[1] == "[IPv6:::1]"


# Time.


class Clock:
    """What the deadline is measured by, where a test must not depend on how fast it runs."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def while_dripping(self, octets: bytes, *, then: bytes = b"x") -> Callable[[Talk], None]:
        """Say something, and then for a minute a little more each second."""

        def drip(talk: Talk) -> None:
            talk.connection.sendall(octets)
            for _ in range(60):
                self.now += 1
                talk.connection.sendall(then)
            talk.wait_for_the_end()

        return drip


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (connection,):
        monkeypatch.setattr(module, "monotonic", clock)
    return clock


@pytest.mark.parametrize("deadline", [0, -1, 0.0, float("nan")])
@pytest.mark.parametrize("make", [PipelinedSMTP, PipelinedSMTP_SSL, PipelinedLMTP])
def test_a_deadline_is_a_positive_number(make: Callable[..., smtplib.SMTP], deadline: float) -> None:
    with pytest.raises(ValueError, match="deadline"):
        make(deadline=deadline)


def test_no_step_waits_for_ever_where_nothing_is_said() -> None:
    assert PipelinedSMTP().timeout == PipelinedSMTP_SSL().timeout == PipelinedLMTP().timeout == 600


def test_the_default_timeout_of_sockets_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getdefaulttimeout", lambda: 42.0)
    assert PipelinedSMTP().timeout == 42


def test_who_wants_to_wait_for_ever_can() -> None:
    with Post() as post, plain(post, timeout=None) as smtp:
        assert smtp.sock is not None
        assert smtp.sock.gettimeout() is None


def test_a_timeout_of_zero_is_refused_as_by_smtplib() -> None:
    with pytest.raises(ValueError, match="timeout=0"):
        PipelinedSMTP("127.0.0.1", 1, NAME, timeout=0)


def impatient(post: Post, *, timeout: float = 60, deadline: float | None = None) -> PipelinedSMTP:
    """Return a session that becomes impatient when it has connected, which may take as long as it likes."""
    smtp = plain(post)
    assert smtp.sock is not None
    smtp.timeout, smtp.deadline = timeout, deadline
    smtp.sock.settimeout(timeout)
    return smtp


def silent_at(command: str) -> Post:
    return Post(answers={command: stay_silent})


def test_a_silent_server_is_left_after_the_timeout() -> None:
    with silent_at("NOOP") as post:
        smtp = impatient(post, timeout=0.1)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
            smtp.noop()
        assert smtp.sock is None


def test_a_server_without_a_greeting_is_left_after_the_timeout() -> None:
    with (
        ScriptedServer(stay_silent) as server,
        nothing_left_open(),
        pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"),
    ):
        PipelinedSMTP("127.0.0.1", server.port, NAME, timeout=0.1)


def test_a_silent_server_is_left_at_the_deadline() -> None:
    with silent_at("NOOP") as post:
        smtp = impatient(post, deadline=0.1)
        with pytest.raises(smtplib.SMTPServerDisconnected, match=r"deadline of 0\.1 s"):
            smtp.noop()
        assert smtp.sock is None


def test_a_server_that_drips_is_left_at_the_deadline() -> None:
    with Post(answers={"NOOP": dripping(b"250 ")}) as post:
        smtp = impatient(post, deadline=0.1)
        with pytest.raises(smtplib.SMTPServerDisconnected, match=r"deadline of 0\.1 s"):
            smtp.noop()
        assert smtp.sock is None


@pytest.mark.parametrize("drops", [dripping(b"220 "), dripping(b"220-", then=b"\r\n220-x")], ids=["octets", "lines"])
def test_a_greeting_that_drips_is_left_at_the_deadline(drops: Callable[[Talk], None]) -> None:
    with (
        ScriptedServer(drops) as server,
        pytest.raises(smtplib.SMTPServerDisconnected, match=r"deadline of 0\.1 s"),
    ):
        PipelinedSMTP("127.0.0.1", server.port, NAME, timeout=60, deadline=0.1)


def test_encrypted_drops_are_not_waited_for_either() -> None:
    with Post(answers={"NOOP": dripping(b"250 ")}, is_encrypted=True) as post:
        smtp = over_tls(post, timeout=60)
        smtp.deadline = 0.1
        with pytest.raises(smtplib.SMTPServerDisconnected, match=r"deadline of 0\.1 s"):
            smtp.noop()
        assert smtp.sock is None


@pytest.mark.parametrize("offered", [(), ("PIPELINING",)], ids=["one by one", "pipelined"])
@pytest.mark.parametrize("command", ["EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("then", [b"x", b"\r\n250-x"], ids=["octets", "lines"])
def test_a_deadline_ends_a_reply_that_drips(clock: Clock, command: str, offered: tuple[str, ...], then: bytes) -> None:
    with Post(*offered, answers={command: clock.while_dripping(b"250-", then=then)}) as post:
        smtp = plain(post, deadline=50)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="deadline of 50 s") as caught:
            smtp.sendmail(ANNA, BERT, "x")
        assert not isinstance(caught.value, DeliveryUnknown)
        assert smtp.sock is None


@pytest.mark.parametrize("offered", [(), ("PIPELINING",)], ids=["one by one", "pipelined"])
def test_a_deadline_ends_a_reply_to_the_content_that_drips(clock: Clock, offered: tuple[str, ...]) -> None:
    def take_it(talk: Talk) -> None:
        talk.say("354 go on")
        talk.content()
        clock.while_dripping(b"250-")(talk)

    with Post(*offered, answers={"DATA": take_it}) as post:
        smtp = plain(post, deadline=50)
        with pytest.raises(DeliveryUnknown, match="deadline of 50 s"):
            smtp.sendmail(ANNA, BERT, "x")
        assert smtp.sock is None


def test_a_deadline_ends_a_login_that_drips(clock: Clock) -> None:
    with Post("AUTH CRAM-MD5", answers={"AUTH": clock.while_dripping(b"334 ")}) as post:
        smtp = plain(post, deadline=50)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="deadline of 50 s"):
            smtp.login("anna", "wonderland")


def test_a_deadline_ends_a_content_that_nobody_reads() -> None:
    def read_nothing(talk: Talk) -> None:
        talk.say("354 go on")
        ended.wait()

    ended = threading.Event()
    with Post(answers={"DATA": read_nothing}) as post:
        smtp = impatient(post, deadline=0.2)
        with pytest.raises(smtplib.SMTPServerDisconnected) as caught:
            smtp.sendmail(ANNA, BERT, b"0123456789" * 3_000_000)
        assert not isinstance(caught.value, DeliveryUnknown)
        assert smtp.sock is None
        ended.set()


def test_a_timeout_that_is_shorter_than_the_deadline_is_not_called_one() -> None:
    with silent_at("NOOP") as post:
        smtp = impatient(post, timeout=0.1, deadline=60)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out") as caught:
            smtp.noop()
        assert "deadline" not in str(caught.value)


@pytest.mark.parametrize("limit", [{"timeout": 0.1}, {"deadline": 0.1}], ids=["timeout", "deadline"])
def test_a_handshake_does_not_wait_for_ever(trusting: ssl.SSLContext, limit: dict[str, float]) -> None:
    def begin_and_stop(talk: Talk) -> None:
        talk.say("220 go on")
        ended.wait()

    ended = threading.Event()
    with Post("STARTTLS", answers={"STARTTLS": begin_and_stop}) as post:
        smtp = impatient(post, **limit)
        with pytest.raises(OSError):  # noqa: PT011 - a TimeoutError, if the reply before it was in time
            smtp.starttls(context=trusting)
        assert smtp.sock is None
        ended.set()


def test_each_call_has_a_deadline_of_its_own(clock: Clock) -> None:
    with Post() as post:
        smtp = plain(post, deadline=50)
        for _ in range(3):
            clock.now += 40
            assert smtp.noop()[0] == 250
            clock.now += 40
            assert smtp.sendmail(ANNA, BERT, "x") == {}
        smtp.quit()


def test_all_that_a_call_does_is_within_one_deadline(clock: Clock) -> None:
    def take_time(talk: Talk) -> None:
        clock.now += 30
        talk.say("250 OK")
        talk.expect("RCPT")
        clock.now += 30
        talk.say("250 OK")
        talk.wait_for_the_end()

    with Post(answers={"MAIL": take_time}) as post:
        smtp = plain(post, deadline=50)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="deadline of 50 s"):
            smtp.sendmail(ANNA, BERT, "x")


def test_after_a_call_with_a_deadline_the_timeout_is_whole_again() -> None:
    with Post() as post, plain(post, timeout=60, deadline=30) as smtp:
        assert smtp.sock is not None
        assert smtp.sock.gettimeout() == 60
        smtp.noop()
        assert smtp.sock.gettimeout() == 60
        smtp.sendmail(ANNA, BERT, "x")
        assert smtp.sock.gettimeout() == 60


def test_after_a_call_that_failed_the_timeout_is_whole_again() -> None:
    with Post(answers={"MAIL": "550 no"}) as post, plain(post, timeout=60, deadline=30) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail(ANNA, BERT, "x")
        assert smtp.sock is not None
        assert smtp.sock.gettimeout() == 60


def test_after_starttls_with_a_deadline_the_timeout_is_whole_again(trusting: ssl.SSLContext) -> None:
    with Post("STARTTLS") as post, plain(post, timeout=60, deadline=30) as smtp:
        smtp.starttls(context=trusting)
        assert smtp.sock is not None
        assert smtp.sock.gettimeout() == 60


# Leaving.


def test_quit_returns_the_reply() -> None:
    with Post() as post:
        smtp = plain(post)
        assert smtp.quit() == (221, b"bye")
        assert smtp.sock is None


@pytest.mark.parametrize("timeout", [60, None])
def test_quit_does_not_wait_for_long(monkeypatch: pytest.MonkeyPatch, timeout: float | None) -> None:
    monkeypatch.setattr(dialogue, "QUIT_TIMEOUT", 0.1)
    with silent_at("QUIT") as post:
        smtp = plain(post, timeout=timeout)
        assert smtp.quit()[0] == -1
        assert smtp.sock is None


@pytest.mark.parametrize("drops", [dripping(b"221 "), dripping(b"221-", then=b"\r\n221-x")], ids=["octets", "lines"])
@pytest.mark.parametrize("limit", [0.1, 1e-9])
def test_quit_does_not_wait_for_a_reply_that_drips(
    monkeypatch: pytest.MonkeyPatch, drops: Callable[[Talk], None], limit: float
) -> None:
    monkeypatch.setattr(dialogue, "QUIT_TIMEOUT", limit)
    with Post(answers={"QUIT": drops}) as post:
        smtp = plain(post, timeout=60)
        assert smtp.quit()[0] == -1
        assert smtp.sock is None


def test_a_shorter_deadline_counts_for_quit_too() -> None:
    with silent_at("QUIT") as post:
        smtp = impatient(post, deadline=0.1)
        code, text = smtp.quit()
        assert code == -1
        assert b"deadline of 0.1 s" in text


def close_after_it(talk: Talk) -> None:
    talk.say("250 OK")
    talk.connection.shutdown(socket.SHUT_RDWR)


def test_quit_is_no_error_where_the_server_has_gone() -> None:
    with Post(answers={"NOOP": close_after_it}) as post:
        smtp = plain(post)
        smtp.noop()
        assert smtp.quit()[0] == -1
        assert smtp.sock is None


def test_quit_is_no_error_where_the_connection_was_lost_before() -> None:
    with Post(answers={"NOOP": hang_up}) as post:
        smtp = plain(post)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.noop()
        assert smtp.quit()[0] == -1


def test_a_second_quit_is_no_error() -> None:
    with Post() as post:
        smtp = plain(post)
        smtp.quit()
        assert smtp.quit()[0] == -1


def test_quit_of_what_never_was_connected_is_an_error() -> None:
    with pytest.raises(smtplib.SMTPServerDisconnected, match="connect"):
        PipelinedSMTP().quit()


@pytest.mark.parametrize("reply", ["421 4.3.2 shutting down", "500 what?", "gibberish"])
def test_what_is_replied_to_quit_is_no_error(reply: str) -> None:
    with Post(answers={"QUIT": reply}) as post, plain(post) as smtp:
        assert smtp.sendmail(ANNA, BERT, "x") == {}
    assert smtp.sock is None


def test_leaving_says_quit() -> None:
    with Post() as post:
        with plain(post) as smtp:
            smtp.sendmail(ANNA, BERT, "x")
        assert post.verbs[-1] == "QUIT"
        assert smtp.sock is None


def test_leaving_after_a_delivery_raises_nothing_where_the_server_hangs_up() -> None:
    with Post(answers={"QUIT": hang_up}) as post, plain(post) as smtp:
        assert smtp.sendmail(ANNA, BERT, "x") == {}
    assert smtp.sock is None


def test_leaving_by_an_exception_closes_without_a_word() -> None:
    with Post() as post:
        with pytest.raises(KeyError), plain(post) as smtp:
            smtp.sendmail(ANNA, BERT, "x")
            raise KeyError
        assert smtp.sock is None
    assert "QUIT" not in post.verbs


def test_leaving_a_session_that_was_left_already_is_no_error() -> None:
    with Post() as post, plain(post) as smtp:
        smtp.quit()
    assert post.verbs == ["QUIT"]


def test_a_session_that_never_was_connected_can_be_left() -> None:
    with PipelinedSMTP() as smtp:
        pass
    assert smtp.sock is None


# What is remembered.


def test_after_a_lost_connection_the_next_one_begins_anew() -> None:
    with Post("SIZE 1", "DSN", answers={"NOOP": hang_up}) as first, Post() as second:
        smtp = plain(first)
        smtp.ehlo()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.noop()
        assert (smtp.sock, smtp.ehlo_resp, smtp.helo_resp, smtp.esmtp_features, smtp.does_esmtp) == (
            None,
            None,
            None,
            {},
            False,
        )
        smtp.connect("localhost", second.port)
        with smtp:
            assert smtp.sendmail(ANNA, BERT, "longer than one octet") == {}
            assert second.commands[:2] == [f"ehlo {NAME}", f"MAIL FROM:<{ANNA}>"]


def test_what_was_received_over_one_connection_is_no_reply_over_the_next() -> None:
    with Post(answers={"NOOP": "250 OK\r\n550 left over"}) as first, Post() as second:
        smtp = plain(first)
        assert smtp.noop() == (250, b"OK")
        smtp.connect("localhost", second.port)
        with smtp:
            assert smtp.noop() == (250, b"OK")


def test_a_failed_ehlo_leaves_nothing_of_the_one_before() -> None:
    with Post("DSN") as post, plain(post) as smtp:
        smtp.ehlo()
        post.answers["EHLO"] = "502 no more"
        smtp.ehlo()
        assert not smtp.does_esmtp
        assert smtp.esmtp_features == {}


def test_a_second_connect_closes_the_first_connection() -> None:
    with Post() as first, Post() as second, nothing_left_open():
        smtp = plain(first)
        before = smtp.sock
        smtp.connect("localhost", second.port)
        assert before is not None
        assert before.fileno() == -1
        smtp.quit()


def test_a_second_connect_that_fails_closes_the_first_connection_too() -> None:
    with Post() as post, ScriptedServer(hang_up) as mute:
        smtp = plain(post)
        before = smtp.sock
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.connect("localhost", mute.port)
        assert before is not None
        assert before.fileno() == -1
        assert smtp.sock is None


COMMANDS: dict[str, Callable[[PipelinedSMTP], object]] = {
    "EHLO": lambda smtp: smtp.ehlo(),
    "HELO": lambda smtp: smtp.helo(),
    "NOOP": lambda smtp: smtp.noop(),
    "RSET": lambda smtp: smtp.rset(),
    "HELP": lambda smtp: smtp.help(),
    "VRFY": lambda smtp: smtp.verify(BERT),
    "EXPN": lambda smtp: smtp.expn(BERT),
    "MAIL": lambda smtp: smtp.mail(ANNA),
    "RCPT": lambda smtp: smtp.rcpt(BERT),
    "XOWN": lambda smtp: smtp.docmd("XOWN", "argument"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_421_to_any_command_closes_the_connection(command: str) -> None:
    with Post(answers={command: "421 4.3.2 shutting down"}) as post:
        smtp = plain(post)
        COMMANDS[command](smtp)
        assert smtp.sock is None


@pytest.mark.parametrize("offered", [(), ("PIPELINING",)])
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_421_while_a_mail_is_sent_closes_the_connection(command: str, offered: tuple[str, ...]) -> None:
    with Post(*offered, answers={command: "421 4.3.2 shutting down"}) as post:
        smtp = plain(post)
        with pytest.raises(smtplib.SMTPException, match="shutting down"):
            smtp.sendmail(ANNA, BERT, "x")
        assert smtp.sock is None


@pytest.mark.parametrize("offered", [(), ("PIPELINING",)])
def test_a_421_to_the_content_closes_the_connection(offered: tuple[str, ...]) -> None:
    with Post(*offered, content="421 4.3.2 shutting down") as post:
        smtp = plain(post)
        with pytest.raises(smtplib.SMTPDataError) as caught:
            smtp.sendmail(ANNA, BERT, "x")
        assert caught.value.smtp_code == 421
        assert smtp.sock is None


def test_a_421_to_starttls_closes_the_connection(trusting: ssl.SSLContext) -> None:
    with Post("STARTTLS", answers={"STARTTLS": "421 4.3.2 shutting down"}) as post:
        smtp = plain(post)
        with pytest.raises(smtplib.SMTPResponseException, match="shutting down"):
            smtp.starttls(context=trusting)
        assert smtp.sock is None


def test_a_421_to_ehlo_is_what_the_error_of_a_mail_says() -> None:
    with Post(answers={"EHLO": "421 4.3.2 too many connections"}) as post:
        smtp = plain(post)
        with pytest.raises(smtplib.SMTPException, match="too many connections"):
            smtp.sendmail(ANNA, BERT, "x")
        assert smtp.sock is None


@pytest.mark.parametrize("code", [421, 554], ids=str)
def test_a_server_that_does_not_want_to_talk_is_closed(code: int) -> None:
    def refuse(talk: Talk) -> None:
        talk.say(f"{code} no")
        talk.wait_for_the_end()

    with ScriptedServer(refuse) as server:
        with nothing_left_open(), pytest.raises(smtplib.SMTPConnectError) as caught:
            PipelinedSMTP("localhost", server.port, NAME)
        assert (caught.value.smtp_code, caught.value.smtp_error) == (code, b"no")


def test_a_greeting_that_is_a_refusal_is_returned_by_connect() -> None:
    def refuse(talk: Talk) -> None:
        talk.say("554 no")
        talk.wait_for_the_end()

    with ScriptedServer(refuse) as server:
        smtp = PipelinedSMTP(local_hostname=NAME)
        assert smtp.connect("localhost", server.port) == (554, b"no")
        smtp.close()


# Replies.


def reply_of(raw: bytes, use: Callable[[PipelinedSMTP], Any]) -> Any:
    """Let a server reply to NOOP with some octets, and hang up."""
    with Post(answers={"NOOP": lambda talk: talk.connection.sendall(raw)}) as post:
        smtp = plain(post)
        try:
            return use(smtp)
        finally:
            assert smtp.sock is None or smtp.sock.fileno() >= 0
            smtp.close()


def noop(smtp: PipelinedSMTP) -> tuple[int, bytes]:
    return smtp.noop()


def test_a_long_line_of_a_reply_is_read() -> None:
    text = b"x" * (8192 - len(b"250 \r\n"))
    assert reply_of(b"250 " + text + b"\r\n", noop) == (250, text)


def refused_reply(raw: bytes) -> None:
    def fails(smtp: PipelinedSMTP) -> None:
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.noop()
        assert smtp.sock is None

    reply_of(raw, fails)


@pytest.mark.parametrize("end", [b"\r\n", b""])
def test_a_line_of_a_reply_that_is_longer_than_any_is_ends_the_connection(end: bytes) -> None:
    refused_reply(b"250 " + b"x" * 8192 + end)


def test_a_reply_of_many_lines_is_read() -> None:
    assert reply_of(b"250-x\r\n" * 511 + b"250 y\r\n", noop) == (250, b"x\n" * 511 + b"y")


def test_a_reply_of_more_lines_than_any_has_ends_the_connection() -> None:
    refused_reply(b"250-x\r\n" * 512 + b"250 y\r\n")


def test_a_last_line_without_an_end_counts_where_it_has_a_code() -> None:
    assert reply_of(b"250 OK", noop) == (250, b"OK")


@pytest.mark.parametrize("raw", [b"", b"25", b"250-OK", b"250-OK\r\n", b"250-OK\r\n250-"])
def test_a_reply_that_is_cut_off_is_none(raw: bytes) -> None:
    refused_reply(raw)


def test_a_line_without_a_code_has_the_code_of_none() -> None:
    assert reply_of(b"what?\r\n", noop)[0] == -1


def test_a_line_of_a_code_alone_is_a_reply() -> None:
    assert reply_of(b"250\r\n", noop) == (250, b"")


def test_bare_line_feeds_end_lines_as_with_smtplib() -> None:
    assert reply_of(b"250-one\n250 two\n", noop) == (250, b"one\ntwo")


# Sockets.


def test_what_is_written_does_not_wait_for_what_was_written_before() -> None:
    with Post() as post, plain(post) as smtp:
        assert smtp.sock is not None
        assert smtp.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_what_is_written_over_tls_does_not_wait_either(trusting: ssl.SSLContext) -> None:
    with Post(is_encrypted=True) as post, over_tls(post) as smtp:
        assert smtp.sock is not None
        assert smtp.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    with Post("STARTTLS") as post, plain(post) as smtp:
        smtp.starttls(context=trusting)
        assert smtp.sock is not None
        assert smtp.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("deadline", [None, 60])
def test_the_address_to_connect_from_is_taken(deadline: float | None) -> None:
    with Post() as post:
        smtp = PipelinedSMTP("127.0.0.1", post.port, NAME, source_address=("127.0.0.2", 0), deadline=deadline)
        with smtp:
            assert smtp.sock is not None
            assert smtp.sock.getsockname()[0] == "127.0.0.2"


@pytest.mark.parametrize("deadline", [None, 60])
def test_a_port_where_nobody_listens_is_refused(deadline: float | None) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with nothing_left_open(), pytest.raises(ConnectionRefusedError):
            PipelinedSMTP("127.0.0.1", free.getsockname()[1], NAME, deadline=deadline)


@pytest.mark.parametrize("deadline", [None, 60])
def test_all_addresses_of_a_host_are_tried(monkeypatch: pytest.MonkeyPatch, deadline: float | None) -> None:
    with Post() as post, socket.socket() as deaf:
        deaf.bind(("127.0.0.2", post.port))
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, post.port)) for address in ("127.0.0.2", "127.0.0.1")
        ]
        look_up = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *rest: addresses if host == "mail.example.org" else look_up(host, *rest)
        )
        with PipelinedSMTP("mail.example.org", post.port, NAME, deadline=deadline) as smtp:
            assert smtp.noop()[0] == 250


def test_the_ports_are_those_of_smtplib() -> None:
    assert (PipelinedSMTP.default_port, PipelinedSMTP_SSL.default_port, PipelinedLMTP.default_port) == (25, 465, 2003)


@pytest.mark.parametrize("command", ["NOOP\r\nMAIL FROM:<a@example.org>", "NOOP\n", "NOOP\r", "NO\0OP"])
def test_a_command_has_one_line(command: str) -> None:
    with Post() as post, plain(post) as smtp:
        with pytest.raises(ValueError, match="prohibited newline"):
            smtp.docmd(command)
        smtp.noop()
        assert post.verbs == ["NOOP"]


def test_what_is_sent_without_a_connection_says_to_connect() -> None:
    with pytest.raises(smtplib.SMTPServerDisconnected, match=r"connect\(\)"):
        PipelinedSMTP().noop()


def test_a_session_says_what_it_is_connected_to() -> None:
    with Post() as post:
        smtp = plain(post)
        assert repr(smtp) == "<PipelinedSMTP localhost, connected>"
        smtp.close()
        assert repr(smtp) == "<PipelinedSMTP localhost, not connected>"
    assert repr(PipelinedSMTP()) == "<PipelinedSMTP without host, not connected>"
