"""Entering: an object that is a context manager is entered and left through its bridge, by ``async with``.

Owns what `__aenter__` and `__aexit__` of faces and proxies do, and who may leave what. How a context manager is entered
in workers, in one context, is in `asyncsmtp_bridge.steps`. It does not know how a bridge comes by its object.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .forms import close_if_new
from .steps import AsyncContextManager

if TYPE_CHECKING:
    from .face import AsyncBridge

Entered = tuple[tuple[object, AsyncContextManager[Any]], ...]
"""What was entered and not left yet, the last one at the end, with the task that did it."""


def not_a_context_manager(face: str, kind: type) -> TypeError:
    """Return what ``async with`` raises for the face of an object that cannot be entered.

    Args:
        face: The name of the face's class.
        kind: The object's class.
    """
    if hasattr(kind, "__aenter__"):
        advice = "it is entered on the event loop already, 'async with face.__wrapped__:'"
    else:
        advice = "use it without 'async with', and await its close() or quit() in a 'finally:', if it has one"
    return TypeError(
        f"{face!r} object does not support the asynchronous context manager protocol, since {kind.__qualname__} has no "
        f"__enter__ and __exit__; {advice}"
    )


async def enter(bridge: AsyncBridge[Any]) -> Any:
    """Enter the object of a bridge, in a worker; return what ``async with`` gives.

    Cancelling leaves an object again that was entered for nobody, and closes one that was made for this.
    """
    made_for_this = not bridge._kept
    target = await bridge._open()
    kind = type(target)
    if not hasattr(kind, "__enter__") or not hasattr(kind, "__exit__"):
        raise not_a_context_manager(type(bridge).__name__, kind)

    def present(_: Any, entered: Any) -> Any:
        return bridge if entered is target else bridge._present("__enter__", entered)

    manager = AsyncContextManager(lambda: target, bridge._steps("__enter__"), present)
    try:
        entered = await manager.__aenter__()
    except asyncio.CancelledError:
        if made_for_this:
            await bridge._steps("close").take_last(close_if_new, target, error=asyncio.CancelledError())
        raise
    bridge._entered = (*bridge._entered, (_current_task(), manager))
    return entered


async def leave(
    bridge: AsyncBridge[Any],
    exc_type: type[BaseException] | None,
    exc: BaseException | None,
    tb: TracebackType | None,
) -> bool:
    """Leave what was entered last, by this task; or, where a fixture is torn down by another one, last of all."""
    task = _current_task()
    mine = [entry for entry in bridge._entered if entry[0] is task] or bridge._entered
    if not mine:
        raise RuntimeError(f"{bridge!r} was not entered")
    bridge._entered = tuple(entry for entry in bridge._entered if entry is not mine[-1])
    suppressed: bool = await mine[-1][1].__aexit__(exc_type, exc, tb)
    return suppressed


def _current_task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:  # a coroutine that is thrown away after its loop
        return None
