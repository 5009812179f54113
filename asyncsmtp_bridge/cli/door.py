"""The door: sessions are opened by the settings, all at once, or, where there is a login, the first one alone.

Owns that order: a wrong password that is tried by many connections at the same time can lock an account, so the others
wait until one was let in, and do not knock if it was refused for good. And which sessions: smtplib's own, since what is
sent is to be what smtplib sends, to the parameters of MAIL, and to raw octets in a header, which a `PipelinedSMTP` does
not send to a server without SMTPUTF8. It does not know what a session is opened for.
"""

from __future__ import annotations

import asyncio
import smtplib
from dataclasses import replace

from ..classify import classify
from ..client import AsyncSMTP
from ..executor import BoundedExecutor
from ..outcome import Outcome
from ..settings import SMTPSettings
from .reach import Unreachable

SMTP_ERRORS = (OSError, ValueError, asyncio.TimeoutError)
"""What opening or leaving a session raises: smtplib's exceptions are OSErrors; a file that is no certificate, or a
password that is none, is a ValueError; and until Python 3.10 asyncio had a TimeoutError of its own."""


class Door:
    """Opens sessions, for all connections of a delivery.

    Args:
        settings: How.
        executor: Where it blocks.
    """

    def __init__(self, settings: SMTPSettings, executor: BoundedExecutor) -> None:
        self.deadline = settings.deadline
        """Seconds that opening a session may take, and each message; None: no limit. smtplib's sessions have none."""
        self._settings = replace(settings, deadline=None)
        self._executor = executor
        self._is_open = settings.username is None
        self._first = asyncio.Lock()
        self._refusal: Exception | None = None

    async def open(self) -> AsyncSMTP:
        """Return a session that is connected, encrypted and logged in as the settings say.

        Raises:
            Unreachable: It could not be opened; or the first one was refused its login for good.
        """
        if not self._is_open:
            async with self._first:
                if not self._is_open:
                    return await self._opened_alone()
        return await self._opened()

    async def _opened_alone(self) -> AsyncSMTP:
        if self._refusal is not None:
            raise Unreachable(self._settings, self._refusal)
        smtp = await self._opened()
        self._is_open = True
        return smtp

    async def _opened(self) -> AsyncSMTP:
        try:
            session = self._settings.connect(smtp_class=_class_for(self._settings), executor=self._executor)
            return await asyncio.wait_for(session, self.deadline)
        except SMTP_ERRORS as error:
            if classify(error).outcome is not Outcome.TRANSIENT:
                self._refusal = error
            raise Unreachable(self._settings, error) from error


def _class_for(settings: SMTPSettings) -> type[smtplib.SMTP]:
    if settings.lmtp:
        return smtplib.LMTP
    return smtplib.SMTP_SSL if settings.tls_mode == "implicit" else smtplib.SMTP
