"""One connection to the server: opened on demand, and replaced when it has gone.

Owns an `AsyncSMTP`, and what may be done with it after a failure. It does not know files, queues or the other
connections.
"""

from __future__ import annotations

import asyncio
import smtplib
from contextlib import suppress

from ..client import AsyncSMTP
from ..watch import shut_down_socket
from .door import SMTP_ERRORS, Door
from .message import MessageFile
from .outcome import Result, connection_was_gone, failed, interrupted, may_have_been_delivered, refused_in_step, sent

QUIT_TIMEOUT = 2.0
"""Seconds for the answer to QUIT: by then every message has its result."""


class Interrupted(Exception):
    """The connection was ended from this side, and nothing of the message's content had gone out."""


class Connection:
    """Sends one message after the other, each at most once.

    Args:
        door: Where its sessions are opened.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._smtp: AsyncSMTP | None = None
        self._ended = False
        self.opened = 0
        """Sessions opened so far: more than one if the server dropped some."""
        self.sending: MessageFile | None = None
        """The message of which it is not known yet what became of it."""

    async def send(self, message: MessageFile) -> Result:
        """Send a message.

        A session that has served before may have been closed by the server meanwhile (it was idle, or has had its fill
        of messages). If it turns out so before the server took the envelope, the message goes over a new one. Nothing
        else is tried twice.

        Cancelling shuts the connection down; `sending` then tells whether the message may have gone out.

        Raises:
            Unreachable: No session could be opened; the message was not sent.
            Interrupted: `end` was called; the message was not sent.
        """
        while True:
            reused = self._smtp is not None
            smtp = self._smtp or await self._open()
            self.sending = message
            try:
                sending = smtp.send_message(message.content, message.from_addr, message.to_addrs)
                refused = await asyncio.wait_for(sending, self._door.deadline)
            except Exception as error:
                await self._recover(smtp, error)
                self.sending = None
                if self._ended and isinstance(error, smtplib.SMTPServerDisconnected):
                    if may_have_been_delivered(error):
                        return interrupted(message)
                    raise Interrupted from error
                if reused and connection_was_gone(error):
                    continue
                return failed(message, error)
            self.sending = None
            return sent(message, refused)

    async def _open(self) -> AsyncSMTP:
        self._smtp = await self._door.open()
        self.opened += 1
        return self._smtp

    async def _recover(self, smtp: AsyncSMTP, error: Exception) -> None:
        """Make the session fit for the next message, or drop it."""
        if refused_in_step(error):
            # smtplib resets most of its failed transactions, not all: after a refused DATA it leaves them open.
            with suppress(*SMTP_ERRORS):
                code, _ = await smtp.rset()
                if code == 250:
                    return
        await self.close()

    async def quit(self) -> None:
        """Take leave of the server, if there is a session."""
        if self._smtp is not None:
            with suppress(*SMTP_ERRORS):
                await asyncio.wait_for(self._smtp.quit(), QUIT_TIMEOUT)

    async def close(self) -> None:
        """Close the session, if there is one."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            await smtp.close()

    def end(self) -> None:
        """End the session now: a `send` under way returns, or raises `Interrupted`, at once."""
        self._ended = True
        if self._smtp is not None:
            shut_down_socket(self._smtp.sock)
