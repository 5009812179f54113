"""The shop: orders, invoices, reminders and a newsletter. The web is FastAPI now, the mail is what it was."""

from __future__ import annotations

import logging
import os
import smtplib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from corpmail import CorpMailer, compose
from fastapi import FastAPI
from fastapi.responses import JSONResponse

logger = logging.getLogger("shop")

HOST = os.environ.get("SHOP_SMTP_HOST", "localhost")
PORT = int(os.environ.get("SHOP_SMTP_PORT", "25"))
WAREHOUSE = "warehouse@example.com"


# Mail.


mailer = CorpMailer(HOST, PORT)


def send_invoice(to: str, number: int, total: str) -> None:
    """Send an invoice on a connection of its own, with a copy for the books."""
    with smtplib.SMTP(HOST, PORT, timeout=30) as smtp:
        smtp.send_message(compose(to, f"Invoice {number}", f"Please pay {total}."))
        smtp.send_message(compose("books@example.com", f"Invoice {number}", f"{to}: {total}"))


def deliver_each(addresses: list[str], subject: str, text: str) -> Iterator[tuple[str, str]]:
    """Send a newsletter, and tell of each address what became of it."""
    with smtplib.SMTP(HOST, PORT, timeout=30) as smtp:
        for address in addresses:
            try:
                smtp.send_message(compose(address, subject, text))
            except smtplib.SMTPRecipientsRefused as error:
                yield address, error.recipients[address][1].decode()
            else:
                yield address, "sent"


def write_reminders(smtp: smtplib.SMTP, orders: list[dict[str, Any]]) -> int:
    """Send a reminder for each order that is open."""
    number = 0
    for order in orders:
        if not order["paid"]:
            smtp.send_message(compose(order["to"], f"Reminder {order['number']}", f"Still open: {order['total']}"))
            number += 1
    return number


# The shop.

ORDERS: dict[int, dict[str, Any]] = {}


def new_order(to: str, total: str) -> dict[str, Any]:
    order = {"number": len(ORDERS) + 1, "to": to, "total": total, "paid": False}
    ORDERS[len(ORDERS) + 1] = order
    return order


# The web.


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    mailer.close()


app = FastAPI(lifespan=lifespan)


@app.post("/orders")
async def create_order(body: dict[str, Any]) -> JSONResponse:
    if "@" not in body.get("to", ""):
        return JSONResponse({"error": "no address"}, 422)
    order = new_order(body["to"], body["total"])
    send_invoice(order["to"], order["number"], order["total"])
    number = mailer.send(WAREHOUSE, f"Order {order['number']}", "Please pack it.")
    logger.info("%d messages to the warehouse", number)
    return JSONResponse(order, 201)


@app.post("/orders/{number}/paid")
async def pay_order(number: int) -> JSONResponse:
    if number not in ORDERS:
        return JSONResponse({"error": "no such order"}, 404)
    ORDERS[number]["paid"] = True
    return JSONResponse(ORDERS[number])


@app.post("/reminders")
async def remind() -> JSONResponse:
    with smtplib.SMTP(HOST, PORT, timeout=30) as smtp:
        number = write_reminders(smtp, list(ORDERS.values()))
    return JSONResponse({"reminded": number})


@app.post("/newsletter")
async def newsletter(body: dict[str, Any]) -> JSONResponse:
    results = {}
    for address, result in deliver_each(body["addresses"], body["subject"], body["text"]):
        logger.info("newsletter to %s: %s", address, result)
        results[address] = result
    return JSONResponse(results)


@app.get("/health")
async def health() -> JSONResponse:
    smtp = smtplib.SMTP(timeout=5)
    try:
        smtp.connect(HOST, PORT)
        code, _ = smtp.ehlo()
    except OSError as error:
        return JSONResponse({"mail": str(error)}, 503)
    finally:
        smtp.close()
    return JSONResponse({"mail": code, "server": mailer.name, "mailer": mailer.is_alive()})
