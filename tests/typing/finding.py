"""What users write to find what blocks; checked by mypy and pyright, never run."""

from __future__ import annotations

from typing_extensions import assert_type

from asyncsmtp_bridge.migrate import (
    BlockingCall,
    BlockingCallError,
    BlockingCallWarning,
    BlockingFinder,
    find_blocking,
)


def in_a_program() -> list[str]:
    with find_blocking() as found:
        assert_type(found, BlockingFinder)
        assert_type(found.calls, list[BlockingCall])
    with find_blocking(mode="error"), find_blocking("record"):
        pass
    find_blocking("raise")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    for call in found.calls:
        assert_type((call.filename, call.line, call.function), tuple[str, int, str])
        assert_type((call.task, call.host, call.call), tuple[str | None, str | None, str | None])
        assert_type((call.count, call.seconds), tuple[int, float])
        assert_type((call.does, call.mend), tuple[str, str])
        assert_type([each.line for each in call.through], list[int])
    return [str(call) for call in found.calls]


def in_a_test(find_blocking: BlockingFinder) -> None:
    assert_type(find_blocking.calls.pop().seconds, float)


def what_is_raised(error: BlockingCallError) -> type[Warning]:
    assert_type(error.call, BlockingCall)
    return BlockingCallWarning
