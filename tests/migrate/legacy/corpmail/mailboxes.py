"""Delivery into our own mailboxes, by LMTP: over the network, and through the socket of the store."""

import smtplib
from smtplib import LMTP

from corpmail import settings
from corpmail.messages import compose

Refused = dict[str, tuple[int, bytes]]


def deliver(to: str, subject: str) -> Refused:
    with LMTP(settings.LMTP_SOCKET) as lmtp:
        return lmtp.send_message(compose(to, subject, sender="store@example.com"))


class Store:
    """The store, through its socket."""

    def __init__(self, path: str = settings.LMTP_SOCKET) -> None:
        self.path = path
        self.delivered = 0

    def put(self, to: str, subject: str) -> None:
        with smtplib.LMTP(self.path) as lmtp:
            lmtp.send_message(compose(to, subject, sender="store@example.com"))
        self.delivered += 1

    def list(self) -> int:
        return self.delivered


async def deliver_to_socket(to: str, subject: str) -> bool:
    with smtplib.LMTP(settings.LMTP_SOCKET) as lmtp:  # blocks
        lmtp.sendmail("store@example.com", [to], f"Subject: {subject}\n\n")  # blocks
    return not deliver(to, f"{subject} again")  # blocks


async def deliver_to_port(to: str, subject: str) -> Refused:
    lmtp = LMTP(settings.HOST, settings.LMTP_PORT)  # blocks
    refused: Refused = lmtp.send_message(compose(to, subject, sender="store@example.com"))  # blocks
    lmtp.quit()  # blocks
    return refused


async def put_away(to: str, subjects: list[str]) -> int:
    store = Store()
    unused = LMTP()
    for subject in subjects:
        store.put(to, subject)  # blocks
    return store.list() + (unused.sock is not None)
