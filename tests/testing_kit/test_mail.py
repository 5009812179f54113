"""What an SMTPTestServer does when nothing goes wrong."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from pathlib import Path

import pytest

from asyncsmtp_bridge.testing import SMTPTestServer, hold

from .clients import ANNA, BERT, CLARA, CONTENT, RawClient, client_of, make_message, send


def test_a_message_arrives_as_it_was_sent() -> None:
    with SMTPTestServer() as server:
        send(server, to=[BERT, CLARA])
        [received] = server.messages
    assert received.content == CONTENT
    assert received.message["Subject"] == "Hello"
    assert received.message.get_content() == "How are you?\n"
    assert (received.mail_from, received.rcpt_tos, received.acknowledged) == (ANNA, (BERT, CLARA), True)
    assert received.session.ehlo == "client.example"
    assert received.session.peer.startswith("127.0.0.1:")
    assert (received.session.tls, received.session.user, received.connection) == (None, None, 1)


@pytest.mark.parametrize(
    "content", [b"", b".\r\n", b"..\r\n.a\r\n\r\n.\r\n", b"x" * 5000 + b"\r\n", b"no line end\n.\nbare\r\n"]
)
def test_dots_long_lines_and_nothing_at_all_survive(content: bytes) -> None:
    dotted = b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in content.split(b"\r\n")[:-1])
    with SMTPTestServer() as server:
        with RawClient(server) as client:
            client.until_data()
            client.socket.sendall(dotted)
            assert client.ask(".").startswith("250")
        assert server.messages[0].content == content


def test_a_large_message_arrives_whole() -> None:
    content = b"".join(b"%076d\r\n" % number for number in range(130_000))
    with SMTPTestServer() as server:
        send(server, content=content)
        assert server.messages[0].content == content


def test_the_null_reverse_path_and_options_are_seen() -> None:
    with SMTPTestServer() as server:
        with client_of(server) as client:
            client.sendmail("", [BERT], CONTENT, mail_options=["BODY=8BITMIME"])
        [received] = server.messages
    assert received.mail_from == ""
    assert "BODY=8BITMIME" in received.mail_options


def test_internationalised_mail_arrives() -> None:
    message = make_message(to=["jörg@example.org"])
    with SMTPTestServer() as server:
        with client_of(server) as client:
            client.send_message(message)
        [received] = server.messages
    assert received.rcpt_tos == ("jörg@example.org",)
    assert received.message["To"] == "jörg@example.org"


def test_extensions_are_added_and_taken_away() -> None:
    server = SMTPTestServer(extensions=["PIPELINING", "DSN"], without=["8bitmime", "SMTPUTF8"], size_limit=99)
    with server, client_of(server) as client:
        client.ehlo()
        assert set(client.esmtp_features) == {"pipelining", "dsn", "size", "help"}
        assert client.esmtp_features["size"] == "99"
        assert client.docmd("MAIL", f"FROM:<{ANNA}> SIZE=100")[0] == 552


def test_a_message_over_the_limit_is_refused_after_its_content() -> None:
    with SMTPTestServer(size_limit=20) as server:
        with client_of(server) as client, pytest.raises(smtplib.SMTPDataError) as caught:
            client.helo()
            client.sendmail(ANNA, [BERT], CONTENT)
        assert caught.value.smtp_code == 552
        assert server.messages == []


def test_pipelined_commands_around_a_content_are_all_answered() -> None:
    with SMTPTestServer(extensions=["PIPELINING"]) as server, RawClient(server) as client:
        client.hear()
        client.ask("HELO client.example")
        envelope = [f"MAIL FROM:<{ANNA}>", f"RCPT TO:<{BERT}>", "DATA"]
        client.say(*envelope, "first", ".", *envelope, "second", ".", "NOOP", "QUIT")
        assert [client.hear()[:3] for _ in range(10)] == ["250", "250", "354", "250"] * 2 + ["250", "221"]
        assert [received.content for received in server.messages] == [b"first\r\n", b"second\r\n"]


def test_the_transcript_tells_who_said_what() -> None:
    with SMTPTestServer() as server:
        with RawClient(server) as client:
            client.hear()
            client.ask("HELO client.example")
            client.ask("XYZZY now")
        with RawClient(server) as client:
            client.hear()
            client.ask("QUIT")
        assert [str(line) for line in server.transcript if line.connection == 1] == [
            "1 S: 220 localhost SMTPTestServer",
            "1 C: HELO client.example",
            "1 S: 250 localhost",
            "1 C: XYZZY now",
            '1 S: 500 Error: command "XYZZY" not recognized',
        ]
        assert server.commands == ["HELO client.example", "XYZZY now", "QUIT"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_users_log_in(mechanism: str) -> None:
    with SMTPTestServer(auth={"anna": "secret"}, require_auth=True) as server:
        with client_of(server) as client:
            with pytest.raises(smtplib.SMTPSenderRefused) as caught:
                client.sendmail(ANNA, [BERT], CONTENT)
            assert caught.value.smtp_code == 530
            client.ehlo()
            client.user, client.password = "anna", "wrong"
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
            client.password = "secret"
            client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
            client.sendmail(ANNA, [BERT], CONTENT)
        assert server.messages[0].session.user == "anna"


def test_logging_in_is_not_offered_without_users_or_in_clear_text_where_tls_is_had() -> None:
    with SMTPTestServer() as server, client_of(server) as client:
        client.ehlo()
        assert not client.has_extn("auth")
    with SMTPTestServer(tls="starttls", auth={"anna": "secret"}) as server, client_of(server) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        client.starttls(context=server.client_context)
        client.ehlo()
        assert client.has_extn("auth")


def test_starttls() -> None:
    with SMTPTestServer(tls="starttls", auth={"anna": "secret"}) as server:
        with client_of(server) as client:
            client.starttls(context=server.client_context)
            client.login("anna", "secret")
            client.sendmail(ANNA, [BERT], CONTENT)
            assert client.docmd("STARTTLS")[0] == 503
            client.quit()
        [received] = server.messages
    assert received.session.tls == "TLSv1.3"
    assert received.session.user == "anna"


def test_tls_from_the_start() -> None:
    with SMTPTestServer(tls="implicit", auth={"anna": "secret"}) as server:
        with client_of(server, smtplib.SMTP_SSL, context=server.client_context) as client:
            client.login("anna", "secret")
            client.sendmail(ANNA, [BERT], CONTENT)
            client.quit()
        [received] = server.messages
        server.connected(0).wait()
    assert received.session.tls == "TLSv1.3"


def test_only_its_own_context_trusts_a_server(tmp_path: Path) -> None:
    with SMTPTestServer(tls="implicit") as server, SMTPTestServer(tls="implicit") as other:
        with (
            pytest.raises(ssl.SSLCertVerificationError),
            client_of(server, smtplib.SMTP_SSL, context=other.client_context),
        ):
            pass
        server.connected(0).wait()
        (tmp_path / "ca.pem").write_bytes(server.ca_pem)
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with client_of(server, smtplib.SMTP_SSL, context=trusting) as client:
            assert client.noop()[0] == 250


def test_a_certificate_for_another_name_is_a_bad_one() -> None:
    with SMTPTestServer(tls="starttls", certificate_names=["mail.example.org"]) as server, client_of(server) as client:
        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            client.starttls(context=server.client_context)
        server.connected(0).wait()


def test_a_server_without_tls_has_no_context() -> None:
    with pytest.raises(RuntimeError, match="has no TLS"):
        _ = SMTPTestServer().client_context


def test_one_connection_too_many_is_turned_away() -> None:
    with SMTPTestServer(max_connections=2) as server:
        with client_of(server), client_of(server):
            with pytest.raises(smtplib.SMTPConnectError) as caught, client_of(server):
                pass
            assert caught.value.smtp_code == 421
            server.connected(2).wait()
        server.connected(0).wait()
        send(server)
        assert (server.connections_total, server.connections_refused) == (4, 1)


@pytest.mark.parametrize("unix", [False, True])
def test_lmtp_answers_for_each_recipient(unix: bool, tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    with SMTPTestServer(lmtp=True, unix_socket=path if unix else None) as server:
        with RawClient(server) as client:
            client.hear()
            assert client.ask("EHLO client.example").startswith("500")
            client.say("LHLO client.example")
            while client.hear()[3] == "-":
                pass
            client.ask(f"MAIL FROM:<{ANNA}>")
            client.ask(f"RCPT TO:<{BERT}>")
            client.ask(f"RCPT TO:<{CLARA}>")
            client.ask("DATA")
            client.say("Hello", ".", "NOOP")
            assert [client.hear()[:9] for _ in range(3)] == ["250 2.0.0", "250 2.0.0", "250 OK"]
        with client_of(server, smtplib.LMTP) as client:
            client.sendmail(ANNA, [BERT], CONTENT)
        assert [received.rcpt_tos for received in server.messages] == [(BERT, CLARA), (BERT,)]
    assert not path.exists()


def test_many_servers_at_once() -> None:
    servers = [SMTPTestServer() for _ in range(20)]
    try:
        for server in servers:
            server.start()
        for server in servers:
            send(server)
        assert [len(server.messages) for server in servers] == [1] * 20
        assert len({server.port for server in servers}) == 20
    finally:
        for server in servers:
            server.stop()


async def test_waiting_in_an_asynchronous_test_leaves_its_loop_free() -> None:
    with SMTPTestServer(faults=[hold("RCPT")]) as server:
        sending = asyncio.create_task(asyncio.to_thread(send, server))
        await server.reached("RCPT")
        await server.held("RCPT").wait_async(timeout=5)
        server.release("RCPT")
        [received] = await server.received()
        assert received.mail_from == ANNA
        await sending
        await server.connected(0)


async def test_waiting_ends_with_the_time_and_can_be_cancelled() -> None:
    with SMTPTestServer() as server:
        with RawClient(server) as client:
            client.hear()
            client.ask("NOOP")
            with pytest.raises(TimeoutError, match=r"reached 'MAIL'(.|\n)*1 C: NOOP"):
                server.reached("MAIL").wait(timeout=0.01)
            with pytest.raises(TimeoutError, match="1 messages"):
                await server.received().wait_async(timeout=0.01)
        waiting = asyncio.ensure_future(server.reached("MAIL").wait_async())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not server._record._listeners


def test_messages_are_waited_for() -> None:
    with SMTPTestServer() as server:
        send(server)
        send(server)
        assert [received.connection for received in server.wait_for_message(count=2)] == [1, 2]
        assert server.reached("MAIL", count=2).is_set()
        assert not server.reached("MAIL", count=3).is_set()


def test_reset_forgets_and_keeps_connections() -> None:
    with SMTPTestServer() as server, client_of(server) as client:
        client.sendmail(ANNA, [BERT], CONTENT)
        server.reset()
        assert (server.messages, server.transcript, server.connections_total) == ([], [], 0)
        assert not server.reached("MAIL").is_set()
        client.sendmail(ANNA, [BERT], CONTENT)
        assert len(server.messages) == 1
