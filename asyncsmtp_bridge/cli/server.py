"""The embedded SMTP server: aiosmtpd on a thread of its own, for `demo` and for ``send --demo-server``.

Owns its start, its end, and the count of what arrived. It accepts everything, and delivers nothing to anyone.
"""

from __future__ import annotations

import asyncio
import email
import threading
from collections import Counter
from types import TracebackType

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"


class EmbeddedServer:
    """A server on a free port of the loopback, for the time of a ``with`` block.

    Args:
        delay: Seconds that it takes over each message before it answers to the content, as a server does that scans
            it and writes it to disk. It serves others meanwhile.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay
        self._ready = threading.Event()
        self._error: BaseException | None = None
        # The three below are written by the server's thread, and read by others once what they wait for is over.
        self.port = 0
        self.received = 0
        """Messages accepted."""
        self.message_ids: Counter[str] = Counter()
        """How often each Message-ID was accepted."""

    def __enter__(self) -> EmbeddedServer:
        self._thread = threading.Thread(target=self._run, name="embedded-smtp-server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    # The server's thread.

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        protocols: list[SMTP] = []

        def connected() -> SMTP:
            # Without a hostname aiosmtpd asks the resolver for one, for every connection.
            protocols.append(SMTP(self, hostname="demo.invalid", ident="asyncsmtp_bridge demo", loop=loop))
            return protocols[-1]

        server = await loop.create_server(connected, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        for protocol in protocols:
            if protocol.transport is not None:
                protocol.transport.close()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a message."""
        await asyncio.sleep(self._delay)
        content = envelope.content
        head = (content if isinstance(content, bytes) else b"").partition(b"\r\n\r\n")[0]
        self.message_ids[str(email.message_from_bytes(head + b"\r\n\r\n")["Message-ID"])] += 1
        self.received += 1
        return "250 2.0.0 OK, accepted and thrown away"
