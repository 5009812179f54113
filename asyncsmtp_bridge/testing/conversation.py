"""A conversation: the commands that a test server obeys in another way than aiosmtpd does.

Owns when a message counts as accepted. aiosmtpd does the rest: the command loop, the syntax of commands, EHLO, AUTH,
the machinery of STARTTLS. Done here instead of there: reading the content (see `content`), one reply per recipient in
LMTP, and TLS from the start, which is STARTTLS without the command, so that both can be silent at the same place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, TLSSetupException, syntax

from .content import buffer_of, read_content
from .faults import Refuse
from .record import Received, SessionFacts
from .stage import Rules, Stage

_TOO_BIG = Refuse("552 5.3.4 Message too big", close=False)


class _QuietSession(Session):
    """Without the warning that is logged whenever somebody logs in."""

    @property
    def login_data(self) -> Any:
        return self._login_data

    @login_data.setter
    def login_data(self, value: Any) -> None:
        self._login_data = value


class _Hooks:
    """What aiosmtpd calls back."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        name, *offers = [response[4:] for response in responses]
        lines = [name, *filter(self._is_offered, offers), *self._rules.extensions]
        return [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]

    def _is_offered(self, line: str) -> bool:
        keyword = line.partition(" ")[0]
        return keyword not in self._rules.without and not (keyword == "AUTH" and self._rules.auth is None)


class Conversation(Stage):
    """One SMTP connection."""

    def __init__(self, rules: Rules, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            rules,
            loop,
            _Hooks(rules),
            hostname="localhost",
            ident="SMTPTestServer",
            data_size_limit=None if "SIZE" in rules.without else rules.size_limit,
            enable_SMTPUTF8="SMTPUTF8" not in rules.without,
            tls_context=rules.tls_context,
            auth_require_tls=rules.tls is not None,
            authenticator=self._check_password,
        )
        self._auth_required = rules.require_auth  # as an argument it warns of what a test may well want

    def _create_session(self) -> Session:
        return _QuietSession(self.loop)

    async def _handle_client(self) -> None:
        """Have the conversation; the task of a connection, from its beginning to its end."""
        rules = self._rules
        full = rules.max_connections is not None and len(rules.live) >= rules.max_connections
        self._number = self._record.connect(refused=full)
        if not full:
            rules.live.add(self)
        try:
            if rules.tls == "implicit":
                await self._begin_tls()
            if full:
                await self.push("421 4.7.0 Too many connections")
                return
            refusal = await self._arrive("greeting")
            if refusal is not None and refusal.close:
                await self._refuse(refusal)
            elif refusal is not None:
                self._instead = refusal.reply
            await super()._handle_client()
        except ConnectionError:
            pass  # the client hung up
        finally:
            rules.live.discard(self)
            self.close()
            self._record.disconnect()

    # TLS

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Upgrade; the step `"TLS"` comes between the reply and the handshake."""
        if arg or self.tls_context is None or self._tls_protocol is not None:
            await self.push("503 5.5.1 No STARTTLS here and now")
            return
        buffer_of(self._reader).clear()  # clear text after the command is not trusted: RFC 3207, section 5
        await self.push("220 2.0.0 Ready to start TLS")
        await self._begin_tls()

    async def _begin_tls(self) -> None:
        """Shake hands.

        Raises:
            ConnectionResetError: The handshake failed.
        """
        await self._arrive("TLS")
        hello = bytes(buffer_of(self._reader))  # came while the step took its time
        buffer_of(self._reader).clear()
        # Runs when aiosmtpd has set TLS up and awaits the handshake: until then nothing suspends.
        self.loop.call_soon(self._feed_tls, hello)
        self._muted = True  # aiosmtpd's own 220
        try:
            await super().smtp_STARTTLS(cast(str, None))
        except TLSSetupException as error:
            raise ConnectionResetError("the TLS handshake failed") from error
        finally:
            self._muted = False
        if self.session is None or self.session.ssl is None:
            raise ConnectionResetError("the client hung up within the TLS handshake")

    def _feed_tls(self, received: bytes) -> None:
        protocol = self._tls_protocol
        if not received or protocol is None:
            return
        if isinstance(protocol, asyncio.BufferedProtocol):  # from Python 3.11 on
            cast(memoryview, protocol.get_buffer(len(received)))[: len(received)] = received
            protocol.buffer_updated(len(received))
        else:
            cast(asyncio.Protocol, protocol).data_received(received)

    # Logging in

    def _check_password(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, credentials: Any
    ) -> AuthResult:
        user, password = (part.decode(errors="replace") for part in cast(LoginPassword, credentials))
        known = self._rules.auth or {}
        return AuthResult(success=known.get(user) == password, handled=False, auth_data=credentials)

    # The content

    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Read the content, and answer it."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        envelope = cast(Envelope, self.envelope)
        if not envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        faults = sorted(self._faults("content"), key=lambda fault: fault.after_bytes)

        async def at_mark(index: int) -> None:
            await self._act(faults[index])

        content = await read_content(self._reader, [fault.after_bytes for fault in faults], at_mark)
        self._note("client", b"(%d bytes of content)" % len(content))
        self.envelope = self._create_envelope()
        await self._answer(envelope, content)

    def _shares(self, rcpt_tos: list[str]) -> Sequence[tuple[str | None, list[str]]]:
        """The replies to give: whom each is about, if about one, and whom it speaks for."""
        return [(None, rcpt_tos)]

    async def _answer(self, envelope: Envelope, content: bytes) -> None:
        """Reply to the content, once for each share, and take responsibility for those who get a 250."""
        transaction = (self._number, self._transactions)
        kept: list[str] = []

        def keep(share: list[str], *, acknowledged: bool) -> None:
            kept.extend(recipient for recipient in share if recipient not in kept)
            self._record.keep(transaction, self._received(envelope, content, kept, acknowledged))

        for recipient, share in self._shares(envelope.rcpt_tos):
            refusal = await self._arrive(
                "after content",
                recipient=recipient,
                envelope=envelope,
                keep=partial(keep, share, acknowledged=False),
            )
            if self.data_size_limit and len(content) > self.data_size_limit:
                refusal = refusal or _TOO_BIG
            if refusal is not None:
                await self._refuse(refusal)
                continue
            keep(share, acknowledged=True)  # before the client can have read it
            await self.push("250 2.0.0 OK: responsible for it from here on")

    def _received(self, envelope: Envelope, content: bytes, rcpt_tos: list[str], acknowledged: bool) -> Received:
        mail_from = envelope.mail_from or ""
        return Received(
            content=content,
            mail_from="" if mail_from == "<>" else mail_from,  # as aiosmtpd has the null reverse-path
            mail_options=tuple(envelope.mail_options),
            rcpt_tos=tuple(rcpt_tos),
            acknowledged=acknowledged,
            connection=self._number,
            session=self._session_facts(),
        )

    def _session_facts(self) -> SessionFacts:
        session: Any = self.session
        encrypted = (session.ssl or {}).get("ssl_object")
        return SessionFacts(
            peer=f"{session.peer[0]}:{session.peer[1]}" if isinstance(session.peer, tuple) else "",
            ehlo=session.host_name,
            tls=None if encrypted is None else encrypted.version(),
            user=session.auth_data.login.decode() if session.authenticated else None,
        )


class LMTPConversation(Conversation, LMTP):
    """One LMTP connection: a reply for each recipient (RFC 2033, section 4.2)."""

    def _shares(self, rcpt_tos: list[str]) -> Sequence[tuple[str | None, list[str]]]:
        return [(recipient, [recipient]) for recipient in rcpt_tos]
