"""Two hundred message files, of all the kinds that make a difference on the wire; the same every time."""

from __future__ import annotations

import base64
import re
from pathlib import Path

SIZE = 200

PLAIN = b"Content-Type: text/plain; charset=us-ascii\n\nHello,\n\nall is well.\n"
LATIN_1 = (
    b"MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n"
    b"Gr\xfc\xdfe aus K\xf6ln\n"
)
UTF_8 = (
    b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    + "Žluťoučký kůň, 日本語, \N{GRINNING FACE}\n".encode()
)
LONG_LINES = b"X-Long: " + b"word " * 150 + b"\n\n" + b"y" * 990 + b"\n" + b"z" * 998 + b"\n"
DOTS = b"\n.\n..\n...\n.hidden\n\n.\nafter\n.."
FROM_LINES = b"\nFrom here on\n>From there\n\n\n\n"
NO_BODY = b"X-Empty: yes\n"
FOLDED = b"X-Folded: a,\n b,\n\tc\nX-Spaces:    wide   \nX-Colon:no space\n\nbody  with trailing spaces  \n\t\n"
ENCODED_HEADERS = b"X-Name: =?utf-8?q?Andr=C3=A9?= =?iso-8859-1?q?_M=FCller?=\n\nbody\n"
RAW_HEADERS = b"X-Raw: Andr\xc3\xa9 \xff\xfe\nComments: \xe9t\xe9\n\nbody\n"
BCC = b"Bcc: hidden@example.org, Hidden Two <hidden2@example.org>\nCc: copy@example.org\n\nbody\n"
RESENT = (
    b"Resent-Date: Mon, 1 Jan 2024 00:00:00 +0000\nResent-From: again@example.org\n"
    b"Resent-To: resent@example.org\nResent-Bcc: resent-hidden@example.org\n\nbody\n"
)
SENDER = b"Sender: secretary@example.org\n\nbody\n"
MULTIPART = (
    b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="=outer="\n\npreamble\n--=outer=\n'
    b"Content-Type: multipart/alternative; boundary=inner\n\n--inner\nContent-Type: text/plain; charset=utf-8\n"
    b"Content-Transfer-Encoding: 8bit\n\n.dot \xc3\xa4\n--inner\nContent-Type: text/html\n\n<p>.</p>\n--inner--\n"
    b"--=outer=\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(bytes(range(256)) * 8)
    + b"--=outer=\nContent-Type: message/rfc822\n\nSubject: inside\n\n.inner body\n--=outer=--\nepilogue\n"
)
KINDS = (
    PLAIN,
    LATIN_1,
    UTF_8,
    LONG_LINES,
    DOTS,
    FROM_LINES,
    NO_BODY,
    FOLDED,
    ENCODED_HEADERS,
    RAW_HEADERS,
    BCC,
    RESENT,
    SENDER,
    MULTIPART,
)


def write_corpus(folder: Path) -> list[Path]:
    """Write the files; every kind with LF, with CRLF, and with the two mixed."""
    paths = []
    for number in range(SIZE):
        head = (
            b"Received: from a by b;\n\tMon, 1 Jan 2024 00:00:00 +0000\nFrom: =?utf-8?b?w4Q=?= <anna@example.org>\n"
            b"To: bert%d@example.org,\n cleo@example.org\nSubject: number %d\nX-Number: %d\n" % (number, number, number)
        )
        text = head + KINDS[number % len(KINDS)]
        if number // len(KINDS) % 3 == 1:
            text = text.replace(b"\n", b"\r\n")
        elif number // len(KINDS) % 3 == 2:
            text = text[: len(head)].replace(b"\n", b"\r\n") + text[len(head) :]
        path = folder / f"{number:03}.eml"
        path.write_bytes(text)
        paths.append(path)
    return paths


def number_of(content: bytes) -> int:
    """Return the number that a message of the corpus has."""
    found = re.search(rb"^X-Number: (\d+)\r?$", content, re.MULTILINE)
    assert found
    return int(found[1])
