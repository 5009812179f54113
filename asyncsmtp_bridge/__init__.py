"""Await your existing smtplib code: an adapter from smtplib to asyncio on a bounded thread executor.

async with AsyncSMTP("mail.example.org", 587) as smtp:      # smtplib.SMTP, awaitable
await smtp.send_message(message)

mailer = bridge(CorpMailer("mail.example.org"))             # an organisation's own wrapper, awaitable as it is
await asyncio.wait_for(mailer.send(message), timeout=10)    # a deadline that ends the conversation underneath

mailer = bridge(CorpMailer("mail.example.org"), retry=retry_transient)   # tried again, and nobody gets it twice

await to_thread(legacy_send, message)                       # any blocking function, with a bound that holds
"""

import os as _os

from .blocking import blocking
from .bridge import bridge
from .classify import classify
from .client import AsyncLMTP, AsyncSMTP, AsyncSMTP_SSL
from .declare import async_method
from .defaults import configure
from .executor import BoundedExecutor, default_executor, to_thread
from .face import AsyncBridge
from .outcome import DeliveryUnknown, Failure, Outcome
from .pipelined import PipelinedLMTP, PipelinedSMTP, PipelinedSMTP_SSL
from .retry import retry_testing, retry_transient
from .settings import SMTPSettings
from .slots import ExecutorFull
from .stats import ExecutorStats
from .strategies import retry_if_transient, wait_transient

__all__ = [
    "AsyncBridge",
    "AsyncLMTP",
    "AsyncSMTP",
    "AsyncSMTP_SSL",
    "BoundedExecutor",
    "DeliveryUnknown",
    "ExecutorFull",
    "ExecutorStats",
    "Failure",
    "Outcome",
    "PipelinedLMTP",
    "PipelinedSMTP",
    "PipelinedSMTP_SSL",
    "SMTPSettings",
    "async_method",
    "blocking",
    "bridge",
    "classify",
    "configure",
    "default_executor",
    "retry_if_transient",
    "retry_testing",
    "retry_transient",
    "to_thread",
    "wait_transient",
]

if _os.environ.get("ASYNCSMTP_BRIDGE_FIND_BLOCKING"):
    from .migrate.finding.finder import from_environment as _find_blocking_from_environment

    _find_blocking_from_environment()
