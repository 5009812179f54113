"""Messages a second, and what each costs the client's processor: on loopback, and with a round trip in between.

Eight connections at once to Postfix's `smtp-sink` in a process of its own (where it is not installed, and for
messages of 25 MB, for which it is too slow, to one in Python: the table says which). Either reused: each has sent a
message before the time begins, and takes the next from a common supply as soon as it can. Or one connection a
message, from the handshake to the reply to QUIT. Round trips are made by a proxy in a third process (see `delay`),
which has no bandwidth to exhaust; at 0 ms there is none. Messages: small ones of 1 KB for one recipient or for 50,
100 KB and 25 MB with an attachment in base64; they are made beforehand, and made into bytes by whoever sends them.

- `aiosmtplib`: eight clients, each used by one task.
- `smtplib in asyncio.to_thread`: eight plain sessions, a thread and a task for each.
- `smtplib in threads`: the same without an event loop, eight threads that block.
- `AsyncSMTP(smtp_class=PipelinedSMTP)`: eight mirrors, each used by one task, an await for a message.
- `PipelinedSMTP.send_stream`: eight jobs on a `BoundedExecutor(8)`, each with one stream that takes messages from the
  supply until it is empty. (With one connection a message, a stream of one message each.)

Reported: messages a second, microseconds of processor time of the client's process (all its threads) for a message,
and the ratio of messages a second to aiosmtplib's in the same run. Every message must have been accepted for every
recipient, or the benchmark ends with an error. `--case` selects. Quick: eight messages, a tenth of each round trip, a
fiftieth of the larger sizes.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from email.message import EmailMessage
from itertools import repeat
from queue import Empty, SimpleQueue
from statistics import median
from threading import Barrier
from time import perf_counter, process_time
from typing import Any

from asyncsmtp_bridge import BoundedExecutor, PipelinedSMTP

from .callers import start_every_thread
from .delay import delayed
from .measurement import NOT_INSTALLED, Plan, Row, Table, turns
from .messages import small, with_attachment
from .senders import AIOSMTPLIB, PIPELINED_MIRROR, SENDERS, TO_THREAD, MakeSender, Send, check_accepted, connect
from .sink import KIND, OWN_KIND, own_sink, sink

CONNECTIONS = 8
PATIENCE = 30.0  # seconds, for threads to start
BASELINE = AIOSMTPLIB
THREADS, STREAM = "smtplib in threads", "PipelinedSMTP.send_stream"

KB, MB = 1_000, 1_000_000
BULK = 500 * KB
"""Bytes from which smtp-sink would be what is measured."""


@dataclass(frozen=True)
class Case:
    """What is held fixed."""

    messages: int
    """In a turn, all connections together."""
    round_trip: float = 0.0
    """Milliseconds."""
    attachment: int = 0
    """Bytes, as they are sent; 0: a small message."""
    recipients: int = 1
    reused: bool = True

    @property
    def title(self) -> str:
        """What a reader calls it, and `--case` looks for."""
        size = _size(self.attachment) if self.attachment else "small"
        to = "1 recipient" if self.recipients == 1 else f"{self.recipients} recipients"
        connections = f"{CONNECTIONS} reused connections" if self.reused else "one connection a message"
        return f"{size}, {to}, {connections}, {self.round_trip:g} ms"

    def quick(self) -> Case:
        """Return it, scaled down."""
        return replace(self, messages=CONNECTIONS, round_trip=self.round_trip / 10, attachment=self.attachment // 50)


CASES = (
    Case(2400),
    Case(960, round_trip=5),
    Case(480, round_trip=20),
    Case(160, round_trip=100),
    Case(320, recipients=50),
    Case(16, round_trip=20, recipients=50),
    Case(400, attachment=100 * KB),
    Case(160, round_trip=20, attachment=100 * KB),
    Case(8, attachment=25 * MB),
    Case(800, reused=False),
    Case(96, round_trip=20, reused=False),
)


@dataclass
class Cost:
    """Of a turn, in seconds."""

    passed: float = 0.0
    processor: float = 0.0


@dataclass(frozen=True)
class Turn:
    """What a peer has to do."""

    port: int
    messages: Sequence[EmailMessage]
    reused: bool


Peer = Callable[[Plan, Turn], Cost]


def measure(plan: Plan) -> list[Table]:
    """Return a table for each case."""
    cases = [case for case in CASES if plan.selects(case.title)]
    return [_table(plan, case.quick() if plan.quick else case) for case in cases]


def _table(plan: Plan, case: Case) -> Table:
    if case.attachment:
        messages = [with_attachment(case.attachment)] * case.messages
    else:
        messages = [small(number, case.recipients) for number in range(case.messages)]
    costs: dict[str, list[Cost]] = {name: [] for name, peer in PEERS.items() if peer is not None}
    kind, serving = (OWN_KIND, own_sink()) if case.attachment >= BULK else (KIND, sink())
    with serving as server, delayed(server, case.round_trip / 1000) as port:
        for run, name in turns(list(costs), plan.runs):
            peer = PEERS[name]
            assert peer is not None
            cost = peer(plan, Turn(port, messages, case.reused))
            if run:
                costs[name].append(cost)
    return Table(
        title=case.title,
        parameters={
            "connections": CONNECTIONS,
            "reused": case.reused,
            "round_trip_ms": case.round_trip,
            "attachment": case.attachment,
            "recipients": case.recipients,
            "messages": case.messages,
            "sink": kind,
            "baseline": BASELINE,
        },
        columns={
            f"peer, to {kind}": "{peer}",
            "median messages/s": "{per_second:.4g}",
            "min": "{per_second_min:.4g}",
            "max": "{per_second_max:.4g}",
            "processor us/message": "{processor_us:.0f}",
            "messages/s, ratio": "{ratio:.2f}",
            "ratio min..max": "{ratio_min:.2f}..{ratio_max:.2f}",
        },
        rows=[_row(name, costs, case.messages) for name in PEERS],
    )


def _row(name: str, costs: dict[str, list[Cost]], messages: int) -> Row:
    if name not in costs:
        return {"peer": name, "note": NOT_INSTALLED}
    rates = [messages / cost.passed for cost in costs[name]]
    processor = [cost.processor / messages * 1e6 for cost in costs[name]]
    row: Row = {
        "peer": name,
        "per_second": median(rates),
        "per_second_min": min(rates),
        "per_second_max": max(rates),
        "processor_us": median(processor),
        "samples_per_second": rates,
        "samples_processor_us": processor,
    }
    if BASELINE not in costs:
        return {**row, "ratio": None, "ratio_min": None, "ratio_max": None}
    ratios = [base.passed / own.passed for own, base in zip(costs[name], costs[BASELINE], strict=True)]
    return {**row, "ratio": median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios)}


@contextmanager
def _timed() -> Iterator[Cost]:
    cost = Cost()
    processor, start = process_time(), perf_counter()
    yield cost
    cost.passed, cost.processor = perf_counter() - start, process_time() - processor


# Peers that send from coroutines, one await for a message.


def _awaiting(make_sender: MakeSender | None) -> Peer | None:
    if make_sender is None:
        return None

    async def send(turn: Turn) -> Cost:
        async with AsyncExitStack() as stack:
            sender = await stack.enter_async_context(make_sender(turn.port, CONNECTIONS))
            sends: list[Send] = [sender.send_alone] * CONNECTIONS
            if turn.reused:
                opening = (stack.enter_async_context(sender.session()) for _ in range(CONNECTIONS))
                sends = await asyncio.gather(*opening)
            await asyncio.gather(*(send(small(0)) for send in sends))
            supply = iter(turn.messages)
            with _timed() as cost:
                await asyncio.gather(*(_send_all(send, supply) for send in sends))
        return cost

    return lambda plan, turn: plan.on_loop(send(turn))


async def _send_all(send: Send, supply: Iterator[EmailMessage]) -> None:
    for message in supply:
        await send(message)


# Peers that send in threads, until the supply is empty.

Session = Any
SendSupply = Callable[[Session, Iterator[EmailMessage]], int]
"""Sends what there is on a session; returns how many were accepted."""


def _one_by_one(session: Session, supply: Iterator[EmailMessage]) -> int:
    accepted = 0
    for message in supply:
        check_accepted(session.send_message(message))
        accepted += 1
    return accepted


def _as_stream(session: Session, supply: Iterator[EmailMessage]) -> int:
    accepted = 0
    for answer in session.send_stream(supply):
        check_accepted(answer)
        accepted += 1
    return accepted


def _until_empty(queue: SimpleQueue[EmailMessage]) -> Iterator[EmailMessage]:
    with suppress(Empty):
        while True:
            yield queue.get_nowait()


class Sending:
    """A turn of a class of sessions in threads."""

    def __init__(self, session_class: type[smtplib.SMTP], send: SendSupply, turn: Turn) -> None:
        self._session_class = session_class
        self._send = send
        self._turn = turn
        self._queue: SimpleQueue[EmailMessage] = SimpleQueue()
        for message in turn.messages:
            self._queue.put(message)

    def begin(self, _: object) -> Session | None:
        """Return a session that has sent a message; None if there is to be one for each."""
        if not self._turn.reused:
            self._alone(small(0))
            return None
        session = connect(self._session_class, self._turn.port)
        self._send(session, iter([small(0)]))
        return session

    def run(self, session: Session | None) -> int:
        """Send until the supply is empty; return how many were accepted."""
        supply = _until_empty(self._queue)
        return sum(map(self._alone, supply)) if session is None else self._send(session, supply)

    def _alone(self, message: EmailMessage) -> int:
        with connect(self._session_class, self._turn.port) as session:
            return self._send(session, iter([message]))

    def check_all(self, accepted: Iterator[int] | list[int]) -> None:
        """Raise unless every message was accepted."""
        if (total := sum(accepted)) != len(self._turn.messages):
            raise RuntimeError(f"{total} of {len(self._turn.messages)} messages were accepted")


def _in_threads(_: Plan, turn: Turn) -> Cost:
    sending = Sending(smtplib.SMTP, _one_by_one, turn)
    with ThreadPoolExecutor(CONNECTIONS) as pool, ExitStack() as stack:
        every_thread = Barrier(CONNECTIONS)
        list(pool.map(every_thread.wait, repeat(PATIENCE, CONNECTIONS)))
        sessions = list(pool.map(sending.begin, range(CONNECTIONS)))
        for session in filter(None, sessions):
            stack.enter_context(closing(session))
        with _timed() as cost:
            accepted = list(pool.map(sending.run, sessions))
    sending.check_all(accepted)
    return cost


async def _streaming(turn: Turn) -> Cost:
    sending = Sending(PipelinedSMTP, _as_stream, turn)
    async with BoundedExecutor(CONNECTIONS) as executor:
        await start_every_thread(executor.run, CONNECTIONS)
        sessions = await asyncio.gather(*(executor.run(sending.begin, number) for number in range(CONNECTIONS)))
        with _timed() as cost:
            accepted = await asyncio.gather(*(executor.run(sending.run, session) for session in sessions))
        for session in filter(None, sessions):
            session.close()
    sending.check_all(accepted)
    return cost


PEERS: dict[str, Peer | None] = {
    AIOSMTPLIB: _awaiting(SENDERS[AIOSMTPLIB]),
    TO_THREAD: _awaiting(SENDERS[TO_THREAD]),
    THREADS: _in_threads,
    PIPELINED_MIRROR: _awaiting(SENDERS[PIPELINED_MIRROR]),
    STREAM: lambda plan, turn: plan.on_loop(_streaming(turn)),
}


def _size(size: int) -> str:
    return f"{size / MB:g} MB" if size >= MB else f"{size / KB:g} KB"
