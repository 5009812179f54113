"""What is still owed: one message, of which some recipients have got it, and others may be asked for again.

Owns how a policy is put on the methods of a mirror. Of ``sendmail`` and ``send_message``: who has got the message is
not sent to again, and who was refused for good is not asked for again. Of ``connect``: a greeting that refuses for now
is a reply there, and no error. It does not know how a policy decides, or waits.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any, Protocol

from .classify import classify, judged
from .identity import identified, recipients_of
from .job import logger
from .outcome import DeliveryUnknown, Failure, Outcome, StillOwed
from .record import NOTHING_KNOWN, Record
from .trial import delivery_unknown

Attempt = Callable[..., Coroutine[Any, Any, Any]]
Reply = tuple[int, bytes]

PARAMETERS = {"sendmail": ("from_addr", "to_addrs", "msg"), "send_message": ("msg", "from_addr", "to_addrs")}
"""What the methods take, as far as it is looked at, by position or by name."""


class Mirror(Protocol):
    """What a message is sent through."""

    def _is_connected(self) -> bool: ...
    async def _send(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...


def connecting(attempt: Attempt, decorate: Callable[[Attempt], Attempt]) -> Attempt:
    """Return the method ``connect`` of mirrors as the policy has it."""

    async def connect(mirror: Mirror, *args: Any, **kwargs: Any) -> Any:
        waiting = attempt(mirror, *args, **kwargs)
        del args, kwargs
        reply = await waiting
        if type(reply) is tuple and 400 <= reply[0] <= 499:
            raise smtplib.SMTPConnectError(*reply)
        return reply

    retried = decorate(connect)

    async def call(mirror: Mirror, *args: Any, **kwargs: Any) -> Any:
        waiting = retried(mirror, *args, **kwargs)
        del args, kwargs
        try:
            return await waiting
        except smtplib.SMTPConnectError as refused:
            return refused.smtp_code, refused.smtp_error  # as smtplib does

    return call


def owing(name: str, kind: str, decorate: Callable[[Attempt], Attempt]) -> Attempt:
    """Return the method ``sendmail`` or ``send_message`` of mirrors as the policy has it.

    Args:
        name: The method's.
        kind: What to call the mirror's session in logs.
        decorate: Puts a coroutine function through the policy.
    """

    async def send(owed: Owed) -> Any:
        with Record():
            return await owed.send()

    send.__name__, send.__qualname__ = name, f"{kind}.{name}"
    retried = decorate(send)

    async def call(mirror: Mirror, *args: Any, **kwargs: Any) -> Any:
        owed = Owed(mirror, name, args, kwargs)
        del args, kwargs
        try:
            with Record():  # when it ends, what is left of given-up attempts may go on
                returned = await retried(owed)
        except Exception as error:
            return owed.result_of(error)
        return owed.result(returned)

    return call


class Owed:
    """A message on its way to those who have not got it yet.

    Args:
        mirror: What it is sent through.
        name: By which method.
        args: The arguments of the call.
        kwargs: Those given by name.
    """

    def __init__(self, mirror: Mirror, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._mirror = mirror
        self._name = name
        self._args = list(args)
        self._kwargs = dict(kwargs)
        self._names = PARAMETERS[name]
        self._replace("msg", lambda message: identified(message) if isinstance(message, Message) else message)
        self._replace("to_addrs", self._each_once)
        # Whether some have got it; who has not and may get it, None for all; the last reply about each of those.
        self._is_delivered = False
        self._owed: list[str] | None = None
        self._refused: dict[str, Reply] = {}
        # What ended an attempt after which no other can be made.
        self._end: Exception | None = None
        # That an attempt may have delivered it, since which none has said that it did.
        self._unknown: Failure | None = None

    def _each_once(self, to_addrs: Any) -> Any:
        """Return the recipients without those that are named twice: of these smtplib tells the last refusal only."""
        if to_addrs is None and self._name == "send_message":
            message = self._args[0] if self._args else self._kwargs.get("msg")
            to_addrs = recipients_of(message) if isinstance(message, Message) else None
            return None if to_addrs is None or len(set(to_addrs)) == len(to_addrs) else list(dict.fromkeys(to_addrs))
        return list(dict.fromkeys(to_addrs)) if isinstance(to_addrs, (list, tuple)) else to_addrs

    def _replace(self, name: str, new: Callable[[Any], Any]) -> None:
        position = self._names.index(name)
        if position < len(self._args):
            self._args[position] = new(self._args[position])
        elif name in self._kwargs or name == "to_addrs":
            value = new(self._kwargs.get(name))
            if value is not None or name in self._kwargs:
                self._kwargs[name] = value

    async def send(self) -> Any:
        """Make an attempt, and return what comes of it, if no other is to follow.

        Raises:
            StillOwed: Some were refused for now.
            Exception: What the attempt failed with, where the session is still there for another one.
        """
        if self._owed is not None:
            self._replace("to_addrs", lambda _: list(self._owed or ()))
        try:
            refused = await self._mirror._send(self._name, tuple(self._args), self._kwargs)
        except smtplib.SMTPRecipientsRefused as error:
            self._end = error
            refused = error.recipients
        except Exception as error:
            failure = judged(error, NOTHING_KNOWN)
            if failure.outcome is Outcome.UNKNOWN:
                self._unknown = failure
            if self._mirror._is_connected():
                raise
            self._end = error  # whatever a policy says: over this session nothing is sent any more
            return None
        else:
            if not isinstance(refused, dict):
                return refused  # that of a class of sessions, or a mock, with results of its own
            self._is_delivered = True
            self._unknown = None
            for address in self._owed or ():
                self._refused.pop(address, None)
        self._refused.update(refused)
        self._owed = [each for each, told in classify(self._refused).items() if told.outcome is Outcome.TRANSIENT]
        if self._owed and self._mirror._is_connected():
            self._end = None
            raise StillOwed({each: self._refused[each] for each in self._owed}, self._is_delivered)
        return self._refused

    def result(self, returned: Any) -> Any:
        """Return what the call returns, when the last attempt was made.

        Raises:
            Exception: What the call fails with.
        """
        if self._end is None:
            return returned
        error, self._end = self._end, None
        return self.result_of(error)

    def result_of(self, error: Exception) -> Any:
        """Return what the call returns, if it ended with this error.

        Raises:
            Exception: What the call fails with.
        """
        recipients = tuple(self._owed or ()) if self._is_delivered else ()
        refused = {address: reply for address, reply in self._refused.items() if address not in recipients}
        if isinstance(error, DeliveryUnknown):
            # A session that knows whom it is about has said so.
            error.recipients, error.refused = error.recipients or recipients, {**refused, **error.refused}
            raise error
        if self._unknown is not None:
            raise delivery_unknown(self._unknown, recipients, refused) from error
        if not self._is_delivered or judged(error, NOTHING_KNOWN).outcome is Outcome.ACCEPTED:
            if isinstance(error, smtplib.SMTPRecipientsRefused):
                raise smtplib.SMTPRecipientsRefused({**error.recipients, **self._refused}) from None
            raise error
        # To say that it failed would have it sent again to those who have got it.
        if isinstance(error, smtplib.SMTPResponseException) and 400 <= error.smtp_code <= 599:
            reply = error.smtp_code, _as_bytes(error.smtp_error)
            self._refused.update(dict.fromkeys(recipients, reply))
        elif not isinstance(error, StillOwed):
            logger.warning("the message was not sent to those who were refused for now: %r", error)
        return self._refused


def _as_bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
