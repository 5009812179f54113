"""The mirror has everything that smtplib of this interpreter has, with its signatures and docstrings."""

from __future__ import annotations

import inspect
import smtplib
from types import ModuleType
from typing import Any

import pytest

import asyncsmtp_bridge
from asyncsmtp_bridge import AsyncLMTP, AsyncSMTP, AsyncSMTP_SSL
from asyncsmtp_bridge import smtplib as namespace

PAIRS = [(AsyncSMTP, smtplib.SMTP), (AsyncSMTP_SSL, smtplib.SMTP_SSL), (AsyncLMTP, smtplib.LMTP)]
SYNCHRONOUS = {"set_debuglevel", "has_extn", "auth_plain", "auth_login", "auth_cram_md5"}


def public(names: Any) -> list[str]:
    return [name for name in names if not name.startswith("_")]


METHODS = [
    (mirror, original, name)
    for mirror, original in PAIRS
    for name in public(dir(original))
    if callable(getattr(original, name))
]


@pytest.mark.parametrize(("mirror", "original", "name"), METHODS, ids=lambda value: getattr(value, "__name__", value))
def test_every_public_method_has_signature_and_docstring_of_smtplib(mirror: type, original: type, name: str) -> None:
    ours, theirs = getattr(mirror, name), getattr(original, name)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)


@pytest.mark.parametrize(("mirror", "original", "name"), METHODS, ids=lambda value: getattr(value, "__name__", value))
def test_what_talks_is_awaitable_and_what_looks_something_up_is_not(mirror: type, original: type, name: str) -> None:
    assert inspect.iscoroutinefunction(getattr(mirror, name)) is (name not in SYNCHRONOUS)


@pytest.mark.parametrize(("mirror", "original"), PAIRS)
def test_the_constructor_takes_what_smtplib_takes_and_a_few_more(mirror: type, original: type) -> None:
    parameters = dict(inspect.signature(mirror).parameters)
    assert parameters.pop("executor").kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters.pop("on_cancel").default == "abort"
    assert parameters.pop("retry").kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters.pop("smtp_class").kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters == dict(inspect.signature(original).parameters)


@pytest.mark.parametrize(("mirror", "original"), PAIRS)
def test_every_public_attribute_of_a_new_session_is_there(mirror: Any, original: Any) -> None:
    session = original(local_hostname="client.example.org")
    face = mirror.from_sync(session)
    names = [name for name in public(dir(session)) if not callable(getattr(session, name))]
    assert "esmtp_features" in names
    for name in names:
        assert inspect.getattr_static(mirror, name, None) is not None or name in {"keyfile", "certfile"}, name
        assert getattr(face, name) == getattr(session, name)


@pytest.mark.parametrize(("mirror", "original"), PAIRS)
def test_attributes_of_the_class_can_be_read_on_the_class(mirror: Any, original: Any) -> None:
    names = [name for name in public(vars(smtplib.SMTP)) if not callable(getattr(smtplib.SMTP, name))]
    assert "default_port" in names
    for name in names:
        assert getattr(mirror, name) == getattr(original, name)


def test_attributes_are_written_through() -> None:
    session = smtplib.SMTP(local_hostname="client.example.org")
    face = AsyncSMTP.from_sync(session)
    face.timeout = 3.5
    face.esmtp_features["size"] = "10"
    face.set_debuglevel(0)
    assert session.timeout == 3.5
    assert face.has_extn("SIZE") is True
    assert face.has_extn("pipelining") is False


def test_the_namespace_has_everything_public_of_the_module() -> None:
    theirs = {
        name
        for name, value in vars(smtplib).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and getattr(value, "__module__", "smtplib") == "smtplib"
    }
    assert set(smtplib.__all__) <= theirs
    assert theirs <= set(namespace.__all__)
    for name in theirs - {"SMTP", "SMTP_SSL", "LMTP"}:
        assert getattr(namespace, name) is getattr(smtplib, name)
    assert [mirror for mirror, _ in PAIRS] == [namespace.SMTP, namespace.SMTP_SSL, namespace.LMTP]


def test_every_public_name_of_the_package_is_documented() -> None:
    for name in asyncsmtp_bridge.__all__:
        assert inspect.getdoc(getattr(asyncsmtp_bridge, name)), name
