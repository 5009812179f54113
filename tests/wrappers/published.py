"""Wrappers of smtplib from PyPI and the standard library, made and called as their documentation says."""

from __future__ import annotations

import logging
import logging.handlers
import smtplib
import warnings
from collections.abc import Callable
from typing import Any

import flask
import flask_mail
import redmail
import transaction
from zope.sendmail.delivery import DirectMailDelivery
from zope.sendmail.mailer import SMTPMailer

from asyncsmtp_bridge.testing import SMTPTestServer

from .corporate import SENDER, compose

with warnings.catch_warnings():
    # pyramid_mailer.message imports cgi, of which Python 3.11 and 3.12 say that 3.13 has it no more.
    warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)
    import pyramid_mailer
    import pyramid_mailer.message

SUBJECT = "From your corporation"


def patient_session(host: str, port: str, timeout: float | None = None) -> smtplib.SMTP:
    """For those who give up after ten seconds of their own: in these tests an abort is to end a silence, not that."""
    return smtplib.SMTP(host, int(port), timeout=60)


def make_redmail(server: SMTPTestServer) -> redmail.EmailSender:
    return redmail.EmailSender(server.host, server.port, use_starttls=False, domain="example.org", timeout=60)


async def send_by_redmail(sender: Any, to: str, body: str) -> None:
    await sender.send(subject=SUBJECT, sender=SENDER, receivers=[to], text=body)


def make_flask_mail(server: SMTPTestServer) -> flask_mail.Mail:
    app = flask.Flask("corporation")
    app.config.update(MAIL_SERVER=server.host, MAIL_PORT=server.port, MAIL_DEFAULT_SENDER=SENDER)
    return flask_mail.Mail(app)


async def send_by_flask_mail(mail: Any, to: str, body: str) -> None:
    """Needs an application context, here and in the worker."""
    await mail.send(flask_mail.Message(SUBJECT, recipients=[to], body=body))


def make_zope(server: SMTPTestServer) -> SMTPMailer:
    mailer = SMTPMailer(server.host, server.port)
    mailer.smtp = patient_session
    return mailer


async def send_by_zope(mailer: Any, to: str, body: str) -> None:
    await mailer.send(SENDER, [to], compose(to, body).as_bytes())


def make_zope_transaction(server: SMTPTestServer) -> Callable[[str, str], None]:
    """The two phases, on a thread's own transaction: connected at the vote, sent at the end."""
    delivery = DirectMailDelivery(make_zope(server))

    def send_at_commit(to: str, body: str) -> None:
        with transaction.manager:
            delivery.send(SENDER, [to], compose(to, body).as_bytes())

    return send_at_commit


def make_pyramid(server: SMTPTestServer) -> pyramid_mailer.Mailer:
    settings = {"mail.host": server.host, "mail.port": str(server.port), "mail.default_sender": SENDER}
    mailer = pyramid_mailer.Mailer.from_settings(settings)
    mailer.smtp_mailer.smtp = patient_session
    return mailer


def _pyramid_message(to: str, body: str) -> pyramid_mailer.message.Message:
    return pyramid_mailer.message.Message(subject=SUBJECT, recipients=[to], body=body)


async def send_by_pyramid(mailer: Any, to: str, body: str) -> None:
    await mailer.send_immediately(_pyramid_message(to, body))


def make_pyramid_transaction(server: SMTPTestServer) -> Callable[[str, str], None]:
    mailer = make_pyramid(server)

    def send_at_commit(to: str, body: str) -> None:
        with transaction.manager:
            mailer.send(_pyramid_message(to, body))

    return send_at_commit


class OnCallHandler(logging.handlers.SMTPHandler):
    """Mails a record to whom the record names. Its addressees are an attribute, as in SMTPHandler."""

    def emit(self, record: logging.LogRecord) -> None:
        self.toaddrs = [vars(record)["on_call"]]
        super().emit(record)


def make_handler(server: SMTPTestServer) -> OnCallHandler:
    return OnCallHandler((server.host, server.port), SENDER, [], SUBJECT, timeout=60)


def _log_record(to: str, body: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": body, "on_call": to})


async def handle_by_handler(handler: Any, to: str, body: str) -> None:
    await handler.handle(_log_record(to, body))


async def emit_by_handler(handler: Any, to: str, body: str) -> None:
    """Without the handler's own lock."""
    await handler.emit(_log_record(to, body))
