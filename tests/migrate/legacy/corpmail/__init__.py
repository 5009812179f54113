"""Mail of the whole company. What other departments import from here stays importable from here."""

from corpmail.billing import send_invoice
from corpmail.messages import compose

__all__ = ["compose", "send_invoice"]
