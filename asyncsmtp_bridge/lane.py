"""A lane: the calls on one object, one at a time, in the order in which they were made.

Owns the order. It does not know executors or threads: it says which job is the head, and only the head is handed to an
executor, so that one busy object cannot occupy every worker with threads that wait for each other.

A lane belongs to the target object, not to what wraps it: two proxies of one connection, in two threads or on two event
loops, share its lane. `lane_of` finds it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict, deque
from contextlib import suppress
from threading import get_ident
from typing import Any

from .job import RUNNING, Job

_every_lane: weakref.WeakSet[Lane] = weakref.WeakSet()


class Lane:
    """A thread-safe FIFO of jobs, of which the first, the head, may run."""

    def __init__(self) -> None:
        self._kept: object = None
        self._clear()
        _every_lane.add(self)

    def _clear(self) -> None:
        """Begin with nothing: when made, and again in the child of a fork, where the head will never return."""
        self._lock = threading.Lock()
        # Both under the lock.
        self._head: Job | None = None
        self._waiting: OrderedDict[Job, None] = OrderedDict()

    def keep(self, target: object) -> None:
        """Let an object live as long as its lane."""
        self._kept = target

    def keeps(self, target: object) -> bool:
        """Whether the object is the one that lives as long as its lane."""
        return self._kept is target

    @property
    def is_mine(self) -> bool:
        """Whether the job that has its turn runs on the calling thread."""
        head = self._head
        return head is not None and head.state is RUNNING and getattr(head, "thread", None) == get_ident()

    @property
    def is_stuck(self) -> bool:
        """Whether the job that has its turn runs, and nobody waits for it any more."""
        head = self._head
        return head is not None and head.state is RUNNING and head.abandoned

    def enter(self, job: Job) -> bool:
        """Take a place; True if it is the head's."""
        with self._lock:
            if self._head is None:
                self._head = job
                return True
            self._waiting[job] = None
            return False

    def leave(self, job: Job) -> Job | None:
        """Give up a job's place, because it returned or was withdrawn; return the new head if there is one now.

        Safe against a withdrawal at the very moment in which the job becomes head: whichever comes first, the place is
        given up once.
        """
        with self._lock:
            if self._head is not job:
                self._waiting.pop(job, None)
                return None
            self._head = next(iter(self._waiting), None)
            if self._head is not None:
                del self._waiting[self._head]
            return self._head


# A lane lives as long as a bridge or a job has it: without any there is no order to keep, and the next is as good.
_Entry = tuple["weakref.ref[Any] | None", "weakref.ref[Lane]"]

_registry_lock = threading.Lock()
_lanes: dict[int, _Entry] = {}
_gone: deque[int] = deque()  # keys of entries that may have to go


def lane_of(target: object, new: Lane | None = None) -> Lane:
    """Return the lane of an object: the same one for all who have it at the same time.

    Found by identity: equality and hash of other people's objects may mean anything.

    Args:
        target: The object.
        new: The lane that it is given if it has none: that in which it was made, or that of the object it belongs to.
    """
    key = id(target)
    with _registry_lock:
        _sweep()
        known = _known(key, target)
        if known is not None:
            return known
    lane = new or Lane()

    def forget(_: weakref.ref[Any]) -> None:
        # This may run anywhere, also in a garbage collection on a thread that holds the lock.
        _gone.append(key)
        if _registry_lock.acquire(blocking=False):
            try:
                _sweep()
            finally:
                _registry_lock.release()

    reference: weakref.ref[Any] | None
    try:
        reference = weakref.ref(target, forget)
    except TypeError:  # a class with __slots__: its lane keeps it, so that its identity stays its own
        reference = None
    entry = (reference, weakref.ref(lane, forget))
    with _registry_lock:
        known = _known(key, target)
        if known is not None:
            return known
        if reference is None:
            lane.keep(target)
        _lanes[key] = entry
        return lane


def _sweep() -> None:
    """Remove the entries of what is gone; under the lock, since there may be new ones in their places."""
    with suppress(IndexError):
        while True:
            key = _gone.popleft()
            reference, lane_reference = _lanes.get(key, (None, None))
            if lane_reference is not None and (lane_reference() is None or (reference and reference() is None)):
                del _lanes[key]


def shares_lane(target: object, lane: Lane) -> bool:
    """Put an object into the lane of another one, for as long as both are used; False if it has a lane already."""
    try:
        weakref.ref(target)
    except TypeError:  # nobody can ask for its lane later, so that nothing need be kept
        return True
    return lane_of(target, lane) is lane


def _known(key: int, target: object) -> Lane | None:
    reference, lane_reference = _lanes.get(key, (None, None))
    lane = None if lane_reference is None else lane_reference()
    if lane is None or not (lane.keeps(target) if reference is None else reference() is target):
        return None
    return lane


def _begin_anew_after_fork() -> None:
    global _registry_lock
    _registry_lock = threading.Lock()
    for lane in list(_every_lane):
        lane._clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_after_fork)
