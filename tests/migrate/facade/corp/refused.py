"""What no face is written for."""

from __future__ import annotations

import smtplib

from asyncsmtp_bridge import AsyncBridge


class AnSMTP(smtplib.SMTP_SSL):
    """A session."""


class AFace(AsyncBridge[AnSMTP]):
    """A face."""


def a_function(to: str) -> int:
    return len(to)


A_NUMBER = 5
