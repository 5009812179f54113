"""Reports: a connection with try and finally, as it was written before `with` could be used."""

import smtplib
import socket
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from corpmail import settings

SENDER = "reports@example.com"


def build(subject: str, rows: list[str], to: str) -> MIMEMultipart:
    report = MIMEMultipart()
    report["From"], report["To"], report["Subject"] = SENDER, to, subject
    report.attach(MIMEText("\n".join(rows)))
    return report


def send_report(subject: str, rows: list[str], to: str) -> None:
    server = smtplib.SMTP(settings.HOST, settings.PORT)
    try:
        server.ehlo()
        server.sendmail(SENDER, [to], build(subject, rows, to).as_string())
    finally:
        server.quit()


async def report_now(subject: str, to: str) -> None:
    rows = [f"{number}: fine" for number in range(3)]
    server = smtplib.SMTP(settings.HOST, settings.PORT)  # blocks
    try:
        server.ehlo_or_helo_if_needed()  # blocks
        server.sendmail(SENDER, [to], build(subject, rows, to).as_string())  # blocks
    finally:
        server.quit()  # blocks


async def report_patiently(subject: str, to: str) -> bool:
    server = None
    try:
        server = smtplib.SMTP(settings.HOST, settings.PORT, socket.gethostname())  # blocks
        server.send_message(build(subject, [], to))  # blocks
    except (smtplib.SMTPException, OSError):
        return False
    else:
        return True
    finally:
        if server:
            server.quit()  # blocks


async def report_by_connect(subject: str, to: str) -> None:
    server = smtplib.SMTP()
    try:
        server.connect(settings.HOST, settings.PORT)  # blocks
        try:
            server.send_message(build(subject, [], to))  # blocks
        except smtplib.SMTPDataError as error:
            print(f"refused: {error.smtp_code}")
    finally:
        server.quit()  # blocks


async def weekly(subject: str, recipients: list[str]) -> None:
    for to in recipients:
        send_report(subject, [], to)  # blocks
    else:
        print("smtplib.SMTP.quit() was sent for each")
