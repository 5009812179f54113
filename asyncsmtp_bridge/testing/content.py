"""Reading a message's content from a stream, byte by byte if need be.

Owns where the content ends and where a fault cuts into it. aiosmtpd reads it line by line, and so can neither stop
after a number of bytes nor take 25 MB quickly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

_END = b"\r\n.\r\n"
_CHUNK = 65_536


def buffer_of(reader: asyncio.StreamReader) -> bytearray:
    """What a reader holds that was not read. Private to asyncio, and used by aiosmtpd all the same."""
    return cast(bytearray, vars(reader)["_buffer"])


async def read_content(
    reader: asyncio.StreamReader, marks: Sequence[int], at_mark: Callable[[int], Awaitable[None]]
) -> bytes:
    """Read up to the line with the single dot (RFC 5321, section 4.1.1.4); what follows stays in the reader.

    Args:
        reader: Where to read.
        marks: Numbers of bytes, in ascending order.
        at_mark: Awaited with the index of each mark once so many bytes, and no more, were read; not for marks beyond
            the end.

    Returns:
        The content without the dot and without the dots that transparency added (section 4.5.2).

    Raises:
        ConnectionResetError: The stream ended first.
    """
    content = bytearray(b"\r\n")  # the end of DATA's own line: a dot right after it ends an empty content
    waiting = list(enumerate(marks))
    while True:
        received = len(content) - 2
        while waiting and waiting[0][1] <= received:
            await at_mark(waiting.pop(0)[0])
        chunk = await reader.read(min(_CHUNK, waiting[0][1] - received) if waiting else _CHUNK)
        if not chunk:
            raise ConnectionResetError("the client hung up within the content")
        content += chunk
        end = content.find(_END, max(0, received + 2 - len(_END)))
        if end >= 0:
            buffer_of(reader)[:0] = content[end + len(_END) :]  # a pipelining client may have sent more
            return bytes(content[: end + 2].replace(b"\r\n..", b"\r\n.")[2:])
