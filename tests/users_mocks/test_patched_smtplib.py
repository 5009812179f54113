"""How projects mock smtplib in their own tests, and that it goes on working when the code is migrated.

Here, and only here, smtplib is a mock.
"""

from __future__ import annotations

import smtplib
import socket
from email.message import EmailMessage
from unittest import mock

import pytest

from asyncsmtp_bridge import AsyncSMTP, AsyncSMTP_SSL, bridge, retry_testing, retry_transient
from asyncsmtp_bridge import smtplib as async_smtplib


async def notify(message: EmailMessage) -> None:
    """Code under test, migrated: one import changed, awaits added."""
    async with async_smtplib.SMTP("mail.example.org", 587) as smtp:
        await smtp.starttls()
        await smtp.login("anna", "secret")
        await smtp.send_message(message)


async def test_patching_smtplib_reaches_the_mirror() -> None:
    message = EmailMessage()
    with mock.patch("smtplib.SMTP") as smtp_class:
        await notify(message)
    smtp_class.assert_called_once_with("mail.example.org", 587)
    session = smtp_class.return_value.__enter__.return_value
    session.starttls.assert_called_once_with()
    session.login.assert_called_once_with("anna", "secret")
    session.send_message.assert_called_once_with(message)
    smtp_class.return_value.__exit__.assert_called_once()


async def test_an_autospecced_class_reaches_the_mirror() -> None:
    with mock.patch("smtplib.SMTP", autospec=True) as smtp_class:
        smtp = await AsyncSMTP("mail.example.org")
        await smtp.sendmail("anna@example.org", ["bert@example.org"], "x")
    smtp_class.return_value.sendmail.assert_called_once_with("anna@example.org", ["bert@example.org"], "x")


async def test_a_side_effect_of_a_mock_is_raised() -> None:
    with mock.patch("smtplib.SMTP_SSL") as smtp_class:
        smtp_class.return_value.sendmail.side_effect = smtplib.SMTPServerDisconnected("gone")
        smtp = await AsyncSMTP_SSL("mail.example.org")
        with pytest.raises(smtplib.SMTPServerDisconnected, match="gone"):
            await smtp.sendmail("anna@example.org", [], "x")
    smtp_class.assert_called_once_with("mail.example.org")


async def test_patching_one_method_reaches_the_mirror() -> None:
    with mock.patch.object(smtplib.SMTP, "noop", return_value=(250, b"mocked")):
        smtp = AsyncSMTP.from_sync(smtplib.SMTP(local_hostname="client.example.org"))
        assert await smtp.noop() == (250, b"mocked")


async def test_the_mirror_itself_can_be_mocked() -> None:
    with mock.patch.object(AsyncSMTP, "noop", mock.AsyncMock(return_value=(250, b"mocked"))):
        smtp = AsyncSMTP.from_sync(mock.MagicMock(spec=smtplib.SMTP))
        assert await smtp.noop() == (250, b"mocked")


async def test_a_method_of_one_mirror_can_be_replaced() -> None:
    session = mock.MagicMock(spec=smtplib.SMTP)
    smtp = AsyncSMTP.from_sync(session)
    with mock.patch.object(smtp, "noop", mock.AsyncMock(return_value=(250, b"mocked"))):
        assert await smtp.noop() == (250, b"mocked")
    session.noop.assert_not_called()


async def test_a_mirror_can_be_autospecced() -> None:
    smtp = mock.create_autospec(AsyncSMTP, instance=True)
    await smtp.sendmail("anna@example.org", "bert@example.org", "x")
    smtp.sendmail.assert_awaited_once()


async def test_a_mocked_session_can_be_adopted_and_left() -> None:
    session = mock.MagicMock(spec=smtplib.SMTP)
    session.sock = mock.MagicMock(spec=socket.socket)
    with pytest.raises(KeyError):
        async with AsyncSMTP.from_sync(session):
            raise KeyError
    async with AsyncSMTP.from_sync(session) as smtp:
        await smtp.noop()
    session.__exit__.assert_called_once()


async def test_a_mock_of_a_session_is_bridged_to_a_mirror() -> None:
    double = mock.MagicMock(spec=smtplib.SMTP)
    double.noop.return_value = (250, b"mocked")
    smtp = bridge(double)
    assert isinstance(smtp, AsyncSMTP)
    assert await smtp.noop() == (250, b"mocked")


async def test_a_bridged_session_opened_under_a_patch_is_the_mock() -> None:
    with mock.patch("smtplib.SMTP", autospec=True) as double:
        double.return_value.noop.return_value = (250, b"mocked")
        assert await bridge(smtplib.SMTP("mx")).noop() == (250, b"mocked")


async def test_what_a_test_puts_in_the_place_of_smtplib_is_retried_too() -> None:
    refused = smtplib.SMTPSenderRefused(451, b"later", "anna@example.org")
    with mock.patch("smtplib.SMTP") as patched, retry_testing():
        session = patched.return_value
        session.__enter__.return_value = session
        session.send_message.side_effect = [refused, {}]
        async with AsyncSMTP("mail.example.org", retry=retry_transient) as smtp:
            assert await smtp.send_message(EmailMessage()) == {}
    assert session.send_message.call_count == 2
