"""Coroutines that block, in the lines of which a comment, there or above, says how they are mended."""

from __future__ import annotations

import contextlib
import logging.handlers
import os
import smtplib
from smtplib import SMTP

from asyncsmtp_bridge import PipelinedSMTP

from .corp import RECIPIENT, SENDER, TEXT, Connected, CorpSMTP, Mailer


async def a_method(port: int) -> None:
    mailer = Mailer(port)
    mailer.send("x")  # mend: await bridge(mailer.send)("x")


async def a_function_by_another_name(port: int) -> None:
    send = Mailer(port).send
    send("x")  # mend: await bridge(send)("x")


async def a_result_that_is_used(port: int) -> int:
    mailer = Mailer(port)
    if mailer.send("x").port == port:  # mend: if (await bridge(mailer.send)("x")).port == port:
        pass
    sent = [1, mailer.send("x").port]  # mend: sent = [1, (await bridge(mailer.send)("x")).port]
    return mailer.send("x").port + sent[0]  # mend: return (await bridge(mailer.send)("x")).port + sent[0]


async def a_call_over_several_lines(port: int) -> None:
    mailer = Mailer(port)
    mailer.send(  # mend: await bridge(mailer.send)("x" + str(port))
        "x" + str(port),
    )


async def a_comprehension(port: int) -> None:
    mailer = Mailer(port)
    [mailer.send(order) for order in "xy"]  # mend: [await bridge(mailer.send)(order) for order in "xy"]


async def a_class(port: int) -> None:
    mailer = Connected(port)  # mend: mailer = await bridge(Connected)(port)
    assert mailer


async def a_property(port: int) -> None:
    mailer = Mailer(port)
    assert mailer.status == 250  # mend: assert await bridge(mailer, awaitable=("status",)).status == 250


async def a_generator(port: int) -> None:
    mailer = Mailer(port)
    for _ in mailer.send_all(["x", "y"]):  # mend: async for _ in bridge(mailer.send_all)(["x", "y"]):
        pass


async def a_context_manager(port: int) -> None:
    mailer = Mailer(port)
    with mailer.session() as session:  # mend: async with bridge(mailer.session)() as session:
        session.noop()  # mend: await session.noop()  # session: an AsyncSMTP


async def a_context_manager_on_a_stack(port: int) -> None:
    mailer = Mailer(port)
    with contextlib.ExitStack() as stack:  # mend: async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(mailer.session())  # mend: await stack.enter_async_context(bridge(mailer.session)())


async def a_function_that_returns_a_session(port: int) -> None:
    mailer = Mailer(port)
    with mailer.connect() as session:  # mend: async with bridge(await bridge(mailer.connect)()) as session:
        assert session


async def a_session(port: int) -> None:
    with smtplib.SMTP("localhost", port) as smtp:  # mend: async with AsyncSMTP("localhost", port) as smtp:
        smtp.ehlo()  # mend: await smtp.ehlo()  # smtp: an AsyncSMTP
        # mend: await smtp.sendmail(SENDER, RECIPIENT, TEXT)  # smtp: an AsyncSMTP
        smtp.sendmail(SENDER, RECIPIENT, TEXT)


async def a_session_that_is_kept(port: int) -> None:
    smtp = SMTP("localhost", port)  # mend: smtp = await AsyncSMTP("localhost", port)
    smtp.quit()  # mend: await smtp.quit()  # smtp: an AsyncSMTP


async def a_session_that_connects_later(port: int) -> None:
    smtp = smtplib.SMTP()
    smtp.connect("localhost", port)  # mend: await smtp.connect("localhost", port)  # smtp: an AsyncSMTP
    with smtp:  # mend: async with smtp:
        pass


async def a_session_among_others(port: int) -> None:
    # mend: async with AsyncSMTP("localhost", port):  # in a statement of its own
    with open(os.devnull), SMTP("localhost", port):
        pass


async def a_session_of_its_own_class(port: int) -> None:
    with CorpSMTP("localhost", port) as smtp:  # mend: async with bridge(CorpSMTP)("localhost", port) as smtp:
        smtp.send_order("x")  # mend: await smtp.send_order("x")  # smtp: from bridge(CorpSMTP)(...)


async def a_pipelined_session(port: int) -> None:
    smtp = PipelinedSMTP("localhost", port)  # mend: smtp = await AsyncSMTP("localhost", port, smtp_class=PipelinedSMTP)
    # mend: await smtp.sendmail(SENDER, RECIPIENT, TEXT)  # smtp: an AsyncSMTP
    smtp.sendmail(SENDER, RECIPIENT, TEXT)
    smtp.quit()  # mend: await smtp.quit()  # smtp: an AsyncSMTP


async def a_log_record(port: int) -> None:
    handler = logging.handlers.SMTPHandler(("localhost", port), SENDER, [RECIPIENT], "x")
    logger = logging.Logger("orders")
    logger.addHandler(handler)
    # mend: put a logging.handlers.QueueHandler in front of the SMTPHandler; its listener sends from a thread
    logger.error("x")
