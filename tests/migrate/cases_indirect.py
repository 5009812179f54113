"""Cases of the modules in which something stands between: decorators, generators, other modules, the loop itself.

Owns the calls, all of them awaited, so that they are the same before and after a migration.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from asyncsmtp_bridge.testing import refuse

from .registry import BERT, CLEO, DORA, Registry, named
from .servers import Servers

INDIRECT = Registry()
case = INDIRECT.case

# Retries, sessions, generators, decorators.


@case(
    "retrying",
    "again@example.com",
    (BERT, "Insist"),
    (BERT, "Insist in a loop"),
    (BERT, "Insist asynchronously"),
    (CLEO, "Attempt by attempt"),
    (CLEO, "By hand"),
)
async def a_server_that_hesitates(retrying: Any, servers: Servers) -> None:
    busy = refuse("MAIL", "451 4.3.0 Later", times=1)
    servers.plain.faults = [busy]
    assert await retrying.insist(BERT) == 1
    for call, result in (
        (retrying.insist_asynchronously(BERT), None),
        (retrying.insist_attempt_by_attempt(CLEO), None),
        (retrying.insist_by_hand(CLEO), 2),
    ):
        servers.plain.faults = [busy]
        assert await call == result


@case(
    "sessions",
    "sessions@example.com",
    (BERT, "One"),
    (BERT, "Two"),
    (BERT, "Urgent: Three"),
    (CLEO, "Shared"),
    (CLEO, "Threaded"),
    (CLEO, "Threaded again"),
    (CLEO, "Entered late"),
)
async def all_kinds_of_sessions(sessions: Any, servers: Servers) -> None:
    assert await sessions.send_digest(BERT, ["One", "Two"]) == 2
    await sessions.send_prefixed(BERT, "Three")
    servers.plain.faults = [refuse("RCPT", "550 5.1.1 Unknown", times=1)]
    await sessions.send_prefixed(BERT, "Suppressed")
    await sessions.send_shared(CLEO)
    await sessions.send_threaded(CLEO)
    await sessions.send_entered_late(CLEO)
    said = [command.upper() for command in servers.plain.commands]
    assert said.count("QUIT") == servers.plain.connections_total


@case(
    "bulk",
    "bulk@example.com",
    (BERT, "Campaign"),
    (CLEO, "Delivered"),
    (BERT, "Delivered"),
    (BERT, "Counted"),
    (CLEO, "Counted"),
    (CLEO, "Undelivered"),
    ("red0@example.org", "Team"),
    ("red1@example.org", "Team"),
)
async def recipients_one_by_one(bulk: Any, servers: Servers) -> None:
    unknown = refuse("RCPT", "550 5.1.1 Unknown", recipient=DORA)
    servers.plain.faults = [unknown]
    assert await bulk.campaign("Campaign", [BERT, DORA]) == {BERT: True, DORA: False}
    assert [address async for address in bulk.delivered("Delivered", [CLEO, DORA, BERT])] == [BERT, CLEO]
    assert await bulk.count_delivered("Counted", [BERT, CLEO, DORA]) == 2
    assert await bulk.undelivered("Undelivered", [DORA, CLEO]) == [DORA]
    assert await bulk.send_to_all_teams("Team", ["red"]) == [1, 2]


@case(
    "decorated",
    "",
    ("counted@example.com", BERT, "Counted"),
    ("noted@example.com", BERT, "Noted: twice"),
    ("sales@example.com", BERT, "Sales"),
    ("partial@example.com", BERT, "Local partial"),
    ("partial@example.com", BERT, "Threaded partial"),
    ("post@example.com", CLEO, "Alias"),
    ("postman@example.com", CLEO, "Postman"),
    ("later@example.com", DORA, "Executor"),
    ("threaded@example.com", DORA, "Decorated thread"),
    ("bridged@example.com", DORA, "Decorated bridge"),
)
async def all_disguises(decorated: Any, servers: Servers) -> None:
    assert await decorated.send_decorated(BERT) == 1
    await decorated.send_partially(BERT)
    assert await decorated.send_by_other_names(CLEO)
    assert await decorated.send_properly(DORA)


# Classes and modules that call each other.


@case(
    "crm",
    "crm@example.com",
    (BERT, "Welcome"),
    (BERT, "Survey"),
    ("vip@example.com", CLEO, "Welcome"),
    ("vip@example.com", CLEO, "Welcome from the board"),
    ("vip@example.com", DORA, "Invitation"),
    ("vip@example.com", "host@example.com", "Invited"),
)
async def customers_and_guests(crm: Any, servers: Servers) -> None:
    mailer = await crm.CrmMailer.greet(BERT)
    assert await mailer.survey(BERT)
    await crm.VipMailer().welcome(CLEO)
    assert await crm.VipMailer.reachable()
    assert await crm.invite_all([DORA]) == 2
    vips = [mail for mail in servers.plain.messages if mail.mail_from == "vip@example.com"]
    assert [mail.message["X-Priority"] for mail in vips].count("1") == 3


@case(
    "support",
    "notify@example.com",
    ("desk@example.com", "Printer"),
    ("desk@example.com", "Fire (2)"),
    ("desk@example.com", "Fire (1)"),
    ("desk@example.com", "Fire again (1)"),
    (BERT, "Closed: Printer"),
    (CLEO, "Closed: Printer"),
    ("desk@example.com", "Closed: Printer"),
    ("billing@example.com", DORA, "Invoice 5"),
)
async def two_tickets(support: Any, servers: Servers) -> None:
    assert await support.open_ticket("Printer") == 7
    assert await support.escalate_ticket("Fire", 2) == 3
    assert await support.escalate_ticket("Fire", 9) == 0
    await support.close_ticket("Printer", [BERT, CLEO])
    assert await support.bill_ticket(DORA, 5) == "Ticket"


@case("logs", "logs@example.com", ("ops@example.com", "2 records"))
async def records_are_collected(logs: Any, servers: Servers) -> None:
    assert await logs.peek("anna") == "anna is here"
    assert await logs.work(["bert", "cleo"]) == "bert was here\ncleo was here"


BOARD = "chair@example.com deputy@example.com"


@case(
    "onboarding",
    "corporate@example.com",
    ("dora@example.com", "Hired"),
    (BOARD, "Hired: dora"),
    ("payroll@example.com", "Hired: dora"),
    (BOARD, "Promoted: dora"),
    ("payroll@example.com", "Retired: dora"),
    (BOARD, "Retired: dora"),
    ("dora@example.com", "Welcome"),
)
async def a_career(onboarding: Any, servers: Servers) -> None:
    assert await onboarding.hire("dora") >= 2
    assert await onboarding.promote("dora")
    await onboarding.transfer("dora")
    await onboarding.retire("nobody", None)


# Where a call stands.

_EXPRESSIONS = """
If, Then, Or, Length, Walrus, Starred, Either, Session, List 0, List 1, Dict 1, Dict 2, Asynchronous, Nested, Nested,
Nested twice, Argument, In a thread, Beside a thread, Merged, Returned, Returned again
"""


@case("expressions", "expressions@example.com", *((BERT, subject) for subject in named(_EXPRESSIONS)))
async def all_expressions(expressions: Any, servers: Servers) -> None:
    assert await expressions.in_conditions(BERT, urgent=False) == "sent"
    assert await expressions.in_operations(BERT) == (250, 0)
    text, refused, *results, last = await expressions.in_a_session(BERT)
    assert (text, refused, last) == ("250 250", 0, 221)
    assert results == [[{}, {}], {1: {}, 2: {}}, [{}]]
    assert await expressions.in_nested_functions([BERT, BERT]) == 0
    assert await expressions.in_arguments(BERT) == {}
    assert await expressions.returned(BERT) == {}


@case("expressions", "expressions@example.com", (BERT, "If"), (BERT, "If"), (BERT, "Elif"))
async def a_refusal_is_an_answer(expressions: Any, servers: Servers) -> None:
    servers.plain.faults = [refuse("RCPT", "550 5.1.1 Unknown", recipient=CLEO)]
    for urgent in (True, False):
        assert await expressions.in_conditions(f"{BERT}, {CLEO}", urgent=urgent) == "urgent"


@case(
    "handover",
    "handover@example.com",
    *((BERT, f"Passed{how}") for how in ("", " to a thread", " to a coroutine")),
    (BERT, "Held"),
    (BERT, "In a lambda"),
    (BERT, "In a generator 0"),
    (BERT, "In a generator 1"),
    (BERT, "In a nested function"),
    (CLEO, "In a nested function"),
    (BERT, "Returned"),
)
async def sessions_go_elsewhere(handover: Any, servers: Servers) -> None:
    assert (await handover.passed(BERT)).endswith("True")
    assert await handover.passed_to_a_thread(BERT) == 1
    await handover.passed_to_a_coroutine(BERT)
    await handover.held(BERT)
    await handover.in_a_lambda(BERT)
    assert not await handover.in_a_generator(BERT)
    await handover.in_a_nested_function([BERT, CLEO])
    await handover.returned(BERT)
    assert await handover.in_a_list() == 2


@case(
    "callbacks",
    "callbacks@example.com",
    (BERT, "Batched"),
    (CLEO, "Batched"),
    *((BERT, subject) for subject in ("Scheduled", "At once", "From a thread", "In a thread")),
    (BERT, "Done"),
    (BERT, "Signal"),
)
async def the_loop_calls(callbacks: Any, servers: Servers) -> None:
    await callbacks.batch([BERT, CLEO])
    await servers.plain.received(2)
    await callbacks.soon(BERT)
    await servers.plain.received(6)
    assert await callbacks.at_the_end(BERT) == BERT
    await servers.plain.received(7)
    await callbacks.on_signal(BERT)
    os.kill(os.getpid(), signal.SIGUSR1)
    await servers.plain.received(8)
    assert await callbacks.no_signal()


@case(
    "transitional",
    "transitional@example.com",
    (BERT, "In name"),
    ("billing@example.com", BERT, "Invoice 1"),
    ("corporate@example.com", BERT, "By kind"),
    (CLEO, "First of two"),
    (CLEO, "Second of two"),
    ("corporate@example.com", CLEO, "Picked"),
    (CLEO, "Picked again"),
    ("corporate@example.com", DORA, "Soon"),
)
async def half_of_it_is_migrated(transitional: Any, servers: Servers) -> None:
    await transitional.send(BERT, "In name")
    assert [await transitional.send_by_kind(BERT, kind) for kind in ("invoice", "corp", "outbox")][1] == "corp"
    failed = ""
    try:
        await transitional.send_by_kind(BERT, "pigeon")
    except transitional.SendFailed as error:
        failed = str(error)
    assert failed == f"{BERT}: 252"
    assert await transitional.send_to_two_servers(CLEO) == 0
    assert not await transitional.send_what_was_picked(CLEO)
    assert await transitional.keep(DORA) == 1
    await transitional.send_soon(DORA)
    await servers.plain.received(8)
    assert await transitional.shadow(DORA) == DORA


# What is right already, and only looks as if it were not.

_MODERN = """
asyncio, anyio, to_thread, partial, factory, default executor, lambda, submitted, background, nested, session, bridge,
mirror, drop-in, native, native again
"""


@case(
    "modern",
    "modern@example.com",
    *((BERT, subject) for subject in named(_MODERN)),
    ("corporate@example.com", BERT, "bridged object"),
    (BERT, "own bridged object"),
    ("billing@example.com", BERT, "Invoice 99"),
)
async def nothing_blocks(modern: Any, servers: Servers) -> None:
    await modern.with_threads(BERT)
    await modern.with_executors(BERT)
    assert await modern.with_nested_functions(BERT) == 0
    await modern.with_a_session_in_threads(BERT)
    await modern.with_bridges(BERT)
    await modern.with_mirrors(BERT)
    await modern.with_a_native_client(BERT)
    await servers.plain.received(len(named(_MODERN)) + 3)


@case("outbox", "")
async def messages_wait(outbox: Any, servers: Servers) -> None:
    assert await outbox.keep(BERT, "Kept") >= 2


@case("lookalikes", "")
async def nothing_is_mail(lookalikes: Any, servers: Servers) -> None:
    async def answer(to: str, subject: str) -> str:
        return f"{to} {subject}"

    assert (await lookalikes.from_a_registry(lookalikes.Registry({"SMTP": 25}), BERT)).startswith("mail.example.com:25")
    assert await lookalikes.from_a_socket(BERT) == "Said"
    assert await lookalikes.from_a_parameter(answer, BERT) == f"{BERT} Parameter"
    assert await lookalikes.from_a_local_name(BERT) == 21
    assert await lookalikes.from_exceptions(BERT) == f"<{BERT}>: SMTPRecipientsRefused"
    assert await lookalikes.from_an_unconnected_session() == 25
