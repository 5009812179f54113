"""Notifications: what is to be imported, from wherever it is."""

from .channels import Channels, escalate, notify
from .routing import levels as severities
from .wire import transmit as _transmit

__all__ = ["Channels", "broadcast", "escalate", "notify", "severities"]


def broadcast(addresses: list[str], subject: str) -> None:
    for address in addresses:
        _transmit(address, subject)
