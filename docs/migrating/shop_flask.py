"""The shop: orders, invoices, reminders and a newsletter. It is Flask, and blocks wherever it sends mail."""

from __future__ import annotations

import logging
import os
import smtplib
from collections.abc import Iterator
from typing import Any

from corpmail import CorpMailer, compose
from flask import Flask, Response, jsonify, request

logger = logging.getLogger("shop")
app = Flask("shop")

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


@app.post("/orders")
def create_order() -> tuple[Response, int]:
    body = request.get_json()
    if "@" not in body.get("to", ""):
        return jsonify(error="no address"), 422
    order = new_order(body["to"], body["total"])
    send_invoice(order["to"], order["number"], order["total"])
    number = mailer.send(WAREHOUSE, f"Order {order['number']}", "Please pack it.")
    logger.info("%d messages to the warehouse", number)
    return jsonify(order), 201


@app.post("/orders/<int:number>/paid")
def pay_order(number: int) -> tuple[Response, int]:
    if number not in ORDERS:
        return jsonify(error="no such order"), 404
    ORDERS[number]["paid"] = True
    return jsonify(ORDERS[number]), 200


@app.post("/reminders")
def remind() -> tuple[Response, int]:
    with smtplib.SMTP(HOST, PORT, timeout=30) as smtp:
        number = write_reminders(smtp, list(ORDERS.values()))
    return jsonify(reminded=number), 200


@app.post("/newsletter")
def newsletter() -> tuple[Response, int]:
    body = request.get_json()
    results = {}
    for address, result in deliver_each(body["addresses"], body["subject"], body["text"]):
        logger.info("newsletter to %s: %s", address, result)
        results[address] = result
    return jsonify(results), 200


@app.get("/health")
def health() -> tuple[Response, int]:
    smtp = smtplib.SMTP(timeout=5)
    try:
        smtp.connect(HOST, PORT)
        code, _ = smtp.ehlo()
    except OSError as error:
        return jsonify(mail=str(error)), 503
    finally:
        smtp.close()
    return jsonify(mail=code, server=mailer.name, mailer=mailer.is_alive()), 200


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    try:
        app.run(port=8000)
    finally:
        mailer.close()


if __name__ == "__main__":
    main()
