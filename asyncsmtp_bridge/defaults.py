"""Process-wide defaults: what is used where an argument was left out.

Owns `configure` and the values that it sets. A value is looked up here when it is first needed, and from then on
`configure` refuses, because half a process with one setting and half with another is worse than an error at start-up.
It does not know who uses the values.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

__all__ = ["Around", "configure"]

Around = Callable[[], AbstractContextManager[object]]
"""Makes a context manager that is entered around every job, in the worker."""

SIZE_VARIABLE = "ASYNCSMTP_BRIDGE_EXECUTOR_SIZE"


@dataclass(frozen=True)
class Defaults:
    """The values in force; `configure` documents each."""

    executor_size: int | None = None
    cancel_grace: float = 1.0
    exit_grace: float = 5.0
    audit_hook: bool = True
    tls_context: Callable[[], ssl.SSLContext] | None = None
    around: Around | None = None


_lock = threading.Lock()
_values = Defaults()
_first_use: str | None = None
_hook_user: str | None = None


def configure(
    *,
    executor_size: int | None = None,
    cancel_grace: float | None = None,
    exit_grace: float | None = None,
    audit_hook: bool | None = None,
    tls_context: Callable[[], ssl.SSLContext] | None = None,
    around: Around | None = None,
) -> None:
    """Set process-wide defaults, once, at start-up, before anything of the package is used.

    What is left out stays as it was. Several calls before the first use add up.

    Args:
        executor_size: Worker threads of an executor that is made without a size, the default executor among them.
            Without it the environment variable ``ASYNCSMTP_BRIDGE_EXECUTOR_SIZE`` counts, and without that, 8.
        cancel_grace: Seconds that a cancelled call of a bridge waits for its aborted thread to return, at most.
            Default 1.
        exit_grace: Seconds that jobs still running at interpreter exit are given before the process ends. Default 5.
        audit_hook: Whether an audit hook may be installed: at the first abort of the process, to keep wrappers that
            reconnect from sending after their call was cancelled; and at the first call under a retry policy, to know
            what a call had sent before it failed. It slows ``id()``, ``copy.deepcopy`` and logging for good. Without it
            a wrapper's own retry can deliver what its caller believes to be cancelled, and a retried call that sends
            several messages may send the first ones again. Default True.
        tls_context: Called in a worker thread for each connection that is secured without a context of its own; what
            it returns decides which certificates are trusted. Default: the system's trust store, verified.
        around: Makes a context manager that is entered around every job of an executor made without an ``around`` of
            its own, in the worker, in the context of the job.

    Raises:
        RuntimeError: A default is already in use.
        TypeError, ValueError: A value that cannot work.
    """
    given: dict[str, object] = {}
    if executor_size is not None:
        given["executor_size"] = checked_size(executor_size, "configure(executor_size=...)")
    for name, seconds in (("cancel_grace", cancel_grace), ("exit_grace", exit_grace)):
        if seconds is None:
            continue
        if not seconds >= 0:
            raise ValueError(f"configure({name}={seconds!r}): seconds, 0 or more")
        given[name] = float(seconds)
    if audit_hook is not None:
        given["audit_hook"] = bool(audit_hook)
    for name, factory in (("tls_context", tls_context), ("around", around)):
        if factory is None:
            continue
        if not callable(factory):
            raise TypeError(
                f"configure({name}=...) takes a function that makes one, not a {type(factory).__name__}; "
                f"write {name}=lambda: ..."
            )
        given[name] = factory

    global _values
    with _lock:
        if audit_hook is False and _hook_user is not None:
            raise RuntimeError(
                f"configure(audit_hook=False) must come before {_hook_user}, which has installed the hook already: it "
                "cannot be removed"
            )
        if _first_use is not None:
            raise RuntimeError(
                f"configure() must come before the first use, and {_first_use} has already used the defaults; "
                "call it at start-up, before the first executor or connection is made"
            )
        _values = replace(_values, **given)  # type: ignore[arg-type] # checked one by one above


def in_force(user: str) -> Defaults:
    """Return the values, which from now on stay as they are; `user` is named if someone tries to change them."""
    global _first_use
    with _lock:
        if _first_use is None:
            _first_use = user
        return _values


def allows_hook(user: str) -> bool:
    """Return whether an audit hook may be installed, which from now on cannot be declined; the rest stays open."""
    global _hook_user
    with _lock:
        if _values.audit_hook and _hook_user is None:
            _hook_user = user
        return _values.audit_hook


def peek() -> Defaults:
    """Return the values without settling them (at interpreter exit nobody configures any more)."""
    return _values


def default_size(user: str) -> int:
    """Return the size of an executor that was made without one."""
    size = in_force(user).executor_size
    if size is not None:
        return size
    text = os.environ.get(SIZE_VARIABLE, "").strip()
    if not text:
        return 8
    try:
        return checked_size(int(text), SIZE_VARIABLE)
    except ValueError:
        raise ValueError(f"{SIZE_VARIABLE}={text!r}: a whole number of threads, 1 or more") from None


def checked_size(size: int, where: str) -> int:
    """Return `size` if an executor can have it."""
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"{where}: a whole number of threads, not {size!r}")
    if size < 1:
        raise ValueError(f"{where}: at least 1 thread, not {size}")
    return size


def _forget_lock_after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock_after_fork)


def _reset() -> None:
    """Forget everything that was configured (the package's own tests)."""
    global _values, _first_use, _hook_user
    with _lock:
        _values, _first_use, _hook_user = Defaults(), None, None
