"""What every test of the wire starts from."""

from __future__ import annotations

import email.charset
import importlib.util
from collections.abc import Iterator
from unittest import mock

import pytest


@pytest.fixture(autouse=True, scope="package")
def charsets_as_python_ships_them() -> Iterator[None]:
    """Undo what a library imported earlier has told the whole process of character sets, as Flask-Mail does.

    smtplib is the oracle here, and with that setting it cannot send some of the messages. What the bridge makes of them
    is tested where they are named.
    """
    spec = importlib.util.find_spec("email.charset")
    assert spec is not None
    assert spec.loader is not None
    untouched = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(untouched)
    with mock.patch.dict(email.charset.CHARSETS, untouched.CHARSETS, clear=True):
        yield
