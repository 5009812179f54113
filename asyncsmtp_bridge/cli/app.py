"""The program with all of its commands, in the order in which its help lists them."""

from __future__ import annotations

from . import mail_commands, migration_commands  # noqa: F401 - importing them declares their commands
from .program import app

__all__ = ["app"]
