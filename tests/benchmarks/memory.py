"""How much memory a large message takes while it is sent.

`send_message` of one message with 25 MB of attachment in base64, made beforehand, on a connection that has sent a
small one before, to a server in a process of its own (see `throughput`). Each in a fresh process, on an event loop.
Reported: the peak of what Python allocated during the call (`tracemalloc`, which is exact, and slow: nothing is timed),
above what there was before it, in MB and in multiples of the message's size in bytes; the message itself is not in it,
nor what the system buffers. The median and the range of the runs, of which five are enough: they hardly differ. Quick:
1 MB.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tracemalloc
from email.policy import SMTP
from statistics import median

from .measurement import NOT_INSTALLED, Plan, Row, Table
from .messages import small, with_attachment
from .senders import SENDERS, MakeSender
from .sink import KIND, sink

SIZE, QUICK_SIZE = 25_000_000, 1_000_000
MOST = 5  # runs


def measure(plan: Plan) -> list[Table]:
    """Return the table."""
    size = QUICK_SIZE if plan.quick else SIZE
    with sink() as port:
        rows = [_row(plan, name, maker, port, size) for name, maker in SENDERS.items()]
    return [
        Table(
            title=f"One message of {size / 1e6:g} MB",
            parameters={"bytes": size, "sink": KIND, "by": "tracemalloc"},
            columns={
                "peer": "{peer}",
                "peak, MB": "{peak_mb:.1f}",
                "peak / the message's size": "{multiple:.2f}",
                "min..max": "{multiple_min:.2f}..{multiple_max:.2f}",
            },
            rows=rows,
        )
    ]


def _row(plan: Plan, name: str, maker: MakeSender | None, port: int, size: int) -> Row:
    if maker is None:
        return {"peer": name, "note": NOT_INSTALLED}
    command = [sys.executable, "-m", __name__, name, str(port), str(size), plan.loop]
    reports = [json.loads(subprocess.check_output(command)) for _ in range(min(plan.runs, MOST))]
    multiples = [report["peak"] / report["rendered"] for report in reports]
    return {
        "peer": name,
        "peak_mb": median(report["peak"] for report in reports) / 1e6,
        "multiple": median(multiples),
        "multiple_min": min(multiples),
        "multiple_max": max(multiples),
        "rendered": reports[0]["rendered"],
        "samples_multiple": multiples,
    }


async def _peak(make_sender: MakeSender, port: int, size: int) -> dict[str, int]:
    async with make_sender(port, 1) as sender, sender.session() as send:
        await send(small(0))
        message = with_attachment(size)
        rendered = len(message.as_bytes(policy=SMTP))
        gc.collect()
        tracemalloc.start()
        try:
            await send(message)
            _, peak = tracemalloc.get_traced_memory()  # what there was before is not traced
        finally:
            tracemalloc.stop()
    return {"rendered": rendered, "peak": peak}


def main() -> None:
    """Be the fresh process."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}")
    parser.add_argument("peer", choices=[name for name, maker in SENDERS.items() if maker is not None])
    parser.add_argument("port", type=int)
    parser.add_argument("size", type=int)
    parser.add_argument("loop")
    options = parser.parse_args()
    make_sender = SENDERS[options.peer]
    assert make_sender is not None
    report = Plan(runs=1, loop=options.loop).on_loop(_peak(make_sender, options.port, options.size))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
