"""Cases of the modules that connect in plain sight: helpers, aliases, wrappers, subclasses of smtplib's classes.

Owns the calls, all of them awaited, so that they are the same before and after a migration.
"""

from __future__ import annotations

from typing import Any

from asyncsmtp_bridge.testing import refuse

from .registry import BERT, CLEO, DORA, Registry
from .servers import Servers

DIRECT = Registry()
case = DIRECT.case

# Helpers, aliases, names that were imported.


@case(
    "billing",
    "billing@example.com",
    (BERT, "Invoice 3"),
    (BERT, "Reminder"),
    (CLEO, "Reminder"),
    ("archive@example.com", "Invoice 2"),
    (DORA, "Refund"),
    ("archive@example.com", f"Refund to {DORA}"),
    (BERT, "Invoice 7"),
    (CLEO, "Invoice 7"),
)
async def all_customers(billing: Any, servers: Servers) -> None:
    assert await billing.on_order(BERT, 3) == "Invoice 3"
    assert await billing.on_overdue([]) == 0
    assert await billing.on_overdue([BERT, CLEO]) == 2
    await billing.on_refund(DORA)
    await billing.on_many_orders([BERT, CLEO])


@case(
    "alerts",
    "alerts@example.com",
    ("oncall@example.com", "Disk"),
    ("oncall@example.com backup@example.com", "Disk"),
    ("oncall@example.com", "Clear: Disk"),
    ("backup@example.com", "Clear: Disk"),
)
async def a_disk_is_full(alerts: Any, servers: Servers) -> None:
    await alerts.raise_alert("Disk")
    servers.plain.faults = [refuse("RCPT", "550 5.1.1 Unknown", times=1)]
    said = ""
    try:
        await alerts.raise_alert("Unheard")
    except alerts.AlertFailed as error:
        said = str(error)
    assert said == "Unheard"
    assert await alerts.raise_in_own_words("Disk", "is full") == 250
    await alerts.all_clear("Disk")


@case("newsletter", "news@example.com", (BERT, "May"), (DORA, "May"), (f"{BERT} {DORA}", "June"), (BERT, "July"))
async def three_issues(newsletter: Any, servers: Servers) -> None:
    servers.plain.faults = [refuse("RCPT", "550 5.1.1 Unknown", recipient=CLEO)]
    assert await newsletter.publish("May", [BERT, CLEO, DORA]) == ([BERT, DORA], [CLEO])
    assert not await newsletter.publish_quietly("June", [BERT, CLEO, DORA])
    assert await newsletter.publish_where_it_is_known("July", BERT) == 25


@case("newsletter", "news@example.com", (BERT, "August"))
async def an_issue_that_all_get(newsletter: Any, servers: Servers) -> None:
    assert await newsletter.publish_quietly("August", [BERT])
    servers.plain.faults = [refuse("RCPT", "550 5.1.1 Unknown")]
    assert not await newsletter.publish_quietly("September", [BERT])


@case("secure", "legal@example.com", (BERT, "Contract"), (CLEO, "Seal"), (DORA, "Upgrade"), (DORA, "Contract"))
async def everything_is_encrypted(secure: Any, servers: Servers) -> None:
    await secure.sign(BERT)
    assert await secure.seal(CLEO) == CLEO
    assert await secure.upgrade(DORA)
    await secure.countersign(DORA)
    assert all(mail.session.tls for server in servers.all() for mail in server.messages)


# Wrappers and subclasses.


@case("gateway", "announcer@example.com", (BERT, "Open"), ("robot@example.com", "log@example.com", "Open"))
async def one_announcement(gateway: Any, servers: Servers) -> None:
    assert await gateway.announce_once(BERT, "Open") == 3
    ((_, text),) = [(m, m.message.get_content()) for m in servers.plain.messages if "log@example.com" in m.rcpt_tos]
    assert ", 1 sent, " in text


@case(
    "reconnecting",
    "watch@example.com",
    (BERT, "Before"),
    (BERT, "After"),
    (CLEO, "First warning"),
    (CLEO, "Second warning"),
    (DORA, "Lazy warning"),
)
async def a_connection_is_lost(reconnecting: Any, servers: Servers) -> None:
    assert await reconnecting.warn(BERT, "Before")
    servers.plain.hang_up()
    assert await reconnecting.warn(BERT, "After")
    await reconnecting.hang_up()
    await reconnecting.warn_twice(CLEO)
    assert await reconnecting.warn_lazily(DORA) == 1


@case("relay", "relay@example.com", (BERT, "Only"), (CLEO, "One"), (CLEO, "Two"))
async def three_submissions(relay: Any, servers: Servers) -> None:
    assert await relay.submit_one(BERT, "Only") == "Only"
    assert await relay.submit_two(CLEO) == "One, Two"
    assert {mail.session.user for mail in servers.tls.messages} == {"robot"}


@case("audited", "audit@example.com", (BERT, "Noted"), (BERT, "Late"), (BERT, "In one go"))
async def a_trail_is_kept(audited: Any, servers: Servers) -> None:
    assert await audited.send_noted(BERT, "Noted") == 2
    assert await audited.send_late(BERT, "Late") == 4
    await audited.send_late_in_one_go(BERT, "In one go")
    assert [sender for sender, _ in audited.TRAIL] == ["audit@example.com"] * 5


@case(
    "dispatcher",
    "dispatch@example.com",
    (BERT, "Class"),
    (BERT, "Shared"),
    (BERT, "Direct"),
    ("channel@example.com", CLEO, "Channel"),
    ("robot@example.com", DORA, "North 0"),
    ("robot@example.com", DORA, "North 1"),
)
async def every_kind_of_attribute(dispatcher: Any, servers: Servers) -> None:
    own = dispatcher.Dispatcher()
    assert await own.dispatch(BERT, "Class") == f"{servers.plain.host}:{servers.plain.port}"
    await own.dispatch_shared(BERT, "Shared")
    await dispatcher.dispatch_directly(BERT, "Direct")
    await own.close()
    assert await dispatcher.dispatch_on_channel(CLEO, "Channel") == 1
    regions = dispatcher.Regions()
    for number in range(2):
        await regions.send("north", dispatcher.compose(DORA, f"North {number}"))
    await regions.leave("north")


@case(
    "reports",
    "reports@example.com",
    (BERT, "Now"),
    (BERT, "Patient"),
    (BERT, "Connected"),
    (BERT, "Weekly"),
    (CLEO, "Weekly"),
)
async def four_reports(reports: Any, servers: Servers) -> None:
    await reports.report_now("Now", BERT)
    assert await reports.report_patiently("Patient", BERT)
    await reports.report_by_connect("Connected", BERT)
    await reports.weekly("Weekly", [BERT, CLEO])
    servers.plain.faults = [refuse("RCPT", "550 5.1.1 Unknown")]
    assert not await reports.report_patiently("Nobody", BERT)


@case("mailboxes", "store@example.com", *((BERT, subject) for subject in ("A", "A again", "B", "C", "D")))
async def local_delivery(mailboxes: Any, servers: Servers) -> None:
    assert await mailboxes.deliver_to_socket(BERT, "A")
    assert await mailboxes.deliver_to_port(BERT, "B") == {}
    assert await mailboxes.put_away(BERT, ["C", "D"]) == 2
    assert [len(server.messages) for server in (servers.lmtp, servers.store)] == [1, 4]


@case(
    "optional",
    "optional@example.com",
    (BERT, "Slow"),
    (CLEO, "Late import"),
    (CLEO, "Gateway"),
    ("billing@example.com", CLEO, "Invoice 12"),
)
async def nothing_is_installed(optional: Any, servers: Servers) -> None:
    assert await optional.send(BERT, "Slow") == "slow"
    await optional.send_with_late_import(CLEO)
    await optional.send_through_a_gateway(CLEO)
    assert await optional.explain(ValueError()) == "smtplib.SMTP()"


@case(
    "shared",
    "shared@example.com",
    (BERT, "Global"),
    (BERT, "Cached"),
    (CLEO, "Branch"),
    (DORA, "Alias of a class"),
    (DORA, "Thread"),
    ("corporate@example.com", CLEO, "Wildcard"),
    ("corporate@example.com", CLEO, "Wildcard again"),
)
async def connections_of_the_process(shared: Any, servers: Servers) -> None:
    assert await shared.send_shared(BERT) == 221
    assert await shared.send_from_a_branch(CLEO) == f"{servers.plain.host}:{servers.plain.port}"
    assert await shared.send_by_wildcard(CLEO) == "corporate@example.com"
    await shared.send_as_a_session(DORA)
    await shared.send_in_a_thread(DORA)


@case(
    "letters",
    "letters@example.com",
    (BERT, "First"),
    ("archive@example.com", "First"),
    (BERT, "Third"),
    (CLEO, "Courier"),
    (CLEO, "Standard courier"),
    (CLEO, "Bag 1"),
    (CLEO, "Bag 2"),
    (DORA, "Route north"),
    (DORA, "Branch"),
)
async def letters_of_all_kinds(letters: Any, servers: Servers) -> None:
    assert await letters.write(BERT) == "Third"
    await letters.by_courier(CLEO)
    assert await letters.in_a_bag(CLEO) == 2
    assert await letters.on_a_route(DORA) == "north"
    assert (await letters.from_a_branch(DORA)).endswith(": 1 sent")
