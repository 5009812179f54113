"""A secret to be planted, and everything that an error or a value shows, in which it is searched for."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import pickle
import smtplib
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

import asyncsmtp_bridge
from asyncsmtp_bridge.settings import InvalidSettings

SECRET = "hunter2-Tr0ub4dor&3"

_PACKAGE = str(Path(asyncsmtp_bridge.__file__).parent)


def pieces(secret: str = SECRET) -> Iterator[str]:
    """All pieces of it that are long enough not to be anything else."""
    return (secret[at : at + 5] for at in range(len(secret) - 4))


def shown_by(error: BaseException) -> str:
    """Return all that an error tracker, a log or a pickle has of an error: its chain, and its frames in the package."""
    shown = []
    chain: list[BaseException] = [error]
    seen: set[int] = set()
    while chain:
        each = chain.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        shown += [str(each), repr(each), repr(each.args), repr(vars(each)), repr(pickle.dumps(each))]
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if frame.f_code.co_filename.startswith(_PACKAGE):
                shown += [f"{name}={value!r}" for name, value in frame.f_locals.items()]
                shown += [json.dumps(frame.f_locals, default=repr, skipkeys=True)]
        chain += [linked for linked in (each.__cause__, each.__context__) if linked is not None]
    return "\n".join(shown)


def refused(call: Callable[..., Any], *args: Any, **kwargs: Any) -> InvalidSettings:
    """Return the error, and see that it shows nothing of the secret."""
    with pytest.raises(InvalidSettings) as caught:
        call(*args, **kwargs)
    shown = shown_by(caught.value)
    assert not [piece for piece in pieces() if piece in shown]
    assert caught.value.__context__ is None
    return caught.value


# Whatever the secret is written as, and wherever.

DEPTH = 6
"""How far into containers an error tracker goes."""

_SEEN = (_PACKAGE, smtplib.__file__)
"""Whose frames must not show it; those of the test have it."""


def forms(secret: str = SECRET) -> set[str]:
    """Return what it looks like: as it is, percent-encoded, as JSON, and in base64, wherever in what is encoded."""
    octets = secret.encode()
    encoded = set()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + octets).decode().rstrip("=")
        # Without those letters that depend on what is around it.
        encoded.add(text[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6])
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], *encoded}


def found_in(text: str, secret: str = SECRET) -> list[str]:
    """Return in which forms a secret is in a text."""
    return sorted(form for form in forms(secret) if form in text)


def walked(value: Any, depth: int = DEPTH) -> Iterator[str]:
    """Return what a serializer says of a value: it goes into containers, and has the ``repr`` of all else."""
    yield f"{_repr(value)} {_str(value)}"
    if depth == 0:
        return
    within: list[Any] = []
    if isinstance(value, Mapping):
        within += [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        within += value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        within += [getattr(value, each.name, None) for each in dataclasses.fields(value)]
    elif type(value).__module__.startswith("asyncsmtp_bridge.settings"):
        within += getattr(value, "__dict__", {}).values()
    for each in within:
        yield from walked(each, depth - 1)


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # of what is half made
        return repr(error)


def _str(value: object) -> str:
    try:
        return str(value)
    except Exception as error:
        return repr(error)


def told_by(error: BaseException) -> str:
    """Return all that is told of an error and its chain, with the frames of the package and of smtplib."""
    told = []
    chain: list[BaseException] = [error]
    seen: set[int] = set()
    while chain:
        each = chain.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        told += [*walked(each.args), *walked(vars(each)), _repr(each), _str(each), *pickles(each)]
        with_locals = traceback.TracebackException.from_exception(each, capture_locals=True)
        told += [
            f"{line.name} {line.locals}"
            for line in with_locals.stack
            if line.filename.startswith(_SEEN) and line.locals
        ]
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if frame.f_code.co_filename.startswith(_SEEN):
                told += walked(frame.f_locals)
        chain += [linked for linked in (each.__cause__, each.__context__) if linked is not None]
    return "\n".join(told)


def pickles(value: object) -> list[str]:
    """Return a pickle, if there can be one."""
    with suppress(pickle.PicklingError, TypeError, AttributeError):
        return [repr(pickle.dumps(value)), _repr(pickle.dumps(value, 0))]
    return []


def told_by_value(value: Any) -> str:
    """Return all that a value can be made to tell."""
    told = []
    for each in (value, copy.copy(value), copy.deepcopy(value)):
        told += [*walked(each), *walked(vars(each)), f"{each} {each:}", *pickles(each)]
        told += [*walked(dataclasses.asdict(each)), *walked(dataclasses.astuple(each))]
        for default in (repr, str, vars):
            with suppress(TypeError):
                told.append(json.dumps(dataclasses.asdict(each), default=default))
                told.append(json.dumps(each, default=default))
    return "\n".join(told)
