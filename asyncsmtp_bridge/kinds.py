"""Kinds: what sort of thing somebody wants to await.

Owns the questions that are asked of functions and objects of other people. They are answered by looking at types and at
plain functions: a mock may pass for anything, and an attribute of a foreign object may do anything when it is asked
for.
"""

from __future__ import annotations

import functools
import inspect
import sys
from contextlib import asynccontextmanager, contextmanager
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    WrapperDescriptorType,
)
from typing import Any

_ROUTINES = (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    WrapperDescriptorType,
    functools.partial,
    type(functools.lru_cache(bool)),
)

_DATA = (type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)


def is_function(value: object) -> bool:
    """Whether something is there to be called, and for nothing else: a function, a method, or a mock of one."""
    return isinstance(value, _ROUTINES) or is_mock(value) or (callable(value) and hasattr(type(value), "__get__"))


def is_mock(value: object) -> bool:
    """Whether something is a mock of ``unittest.mock`` that can be called."""
    mock: Any = sys.modules.get("unittest.mock")
    return mock is not None and issubclass(type(value), (mock.Mock, mock.MagicMock, mock.AsyncMock))


def is_data(value: object) -> bool:
    """Whether something is plain data, which has nothing to wait for."""
    return type(value) in _DATA


def is_async(func: object) -> bool:
    """Whether what a function returns is awaited, iterated over or entered on a loop already."""
    plain = plain_function(func)
    return plain is not None and (
        inspect.iscoroutinefunction(plain)
        or inspect.isasyncgenfunction(plain)
        or plain.__code__ is _ASYNC_CONTEXT_MANAGER_CODE
    )


def is_generator(func: object) -> bool:
    """Whether it is a generator function."""
    return inspect.isgeneratorfunction(plain_function(func))


def makes_context_managers(func: object) -> bool:
    """Whether a function was decorated with ``contextlib.contextmanager``."""
    plain = plain_function(func)
    return plain is not None and plain.__code__ is _CONTEXT_MANAGER_CODE


def is_retried(func: object) -> bool:
    """Whether a blocking function was decorated by tenacity, or by `retry_transient`."""
    plain = plain_function(func)
    if plain is not None and POLICY in plain.__dict__ and not is_async(plain):
        return True
    # Nobody can have decorated anything with what is not imported; importing it takes long.
    tenacity: Any = sys.modules.get("tenacity")
    if plain is None or tenacity is None or is_async(plain):
        return False
    return isinstance(plain.__dict__.get("retry"), tenacity.BaseRetrying)


POLICY = "_asyncsmtp_bridge_policy"
"""The attribute of a function that `retry_transient` has made."""


def plain_function(func: Any) -> FunctionType | None:
    """Return the function of Python below a method, a partial, a static or a class method; None if there is none."""
    while True:
        if type(func) is functools.partial:
            func = func.func
        elif type(func) in (MethodType, staticmethod, classmethod):
            func = func.__func__
        else:
            return func if type(func) is FunctionType else None


def _nothing() -> Any:
    yield


# What contextlib's decorators make is one function of theirs, each time with another closure.
_CONTEXT_MANAGER_CODE = contextmanager(_nothing).__code__
_ASYNC_CONTEXT_MANAGER_CODE = asynccontextmanager(_nothing).__code__
