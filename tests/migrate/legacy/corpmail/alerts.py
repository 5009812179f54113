# Alerts to whoever is on call.
#
# History: this was a shell script around sendmail, then Python 2, then this. "with mail.SMTP(...)" came with Python 3.
import smtplib as mail

from corpmail import settings
from corpmail.messages import compose

ON_CALL = ("oncall@example.com", "backup@example.com")
HELP = "raise_alert() uses smtplib.SMTP('localhost') unless MAIL_HOST is set"


class AlertFailed(Exception):
    pass


def page(
    subject: str,
    # Who gets it, in this order.
    recipients: tuple[str, ...] = ON_CALL,
) -> dict[str, tuple[int, bytes]]:
    s = mail.SMTP(settings.HOST, settings.PORT)
    refused: dict[str, tuple[int, bytes]] = {}
    for recipient in recipients:
        refused.update(s.send_message(compose(recipient, subject, sender="alerts@example.com")))
    s.quit()
    return refused


async def raise_alert(subject: str) -> None:
    try:
        refused = page(  # blocks
            subject,
            recipients=(
                "oncall@example.com",  # the first
            ),
        )
    except mail.SMTPException as error:
        raise AlertFailed(subject) from error
    if refused:
        raise AlertFailed(f"{subject}: {refused}")


async def raise_in_own_words(
    subject: str,
    *lines: str,
) -> int:
    with mail.SMTP(  # blocks
        settings.HOST,
        settings.PORT,  # not 587: that wants a login
        timeout=settings.TIMEOUT,
    ) as s:
        s.set_debuglevel(0)
        code, _ = s.helo("alerts.example.com")  # blocks
        if s.has_extn("smtputf8"):
            subject = subject.upper()
        s.sendmail(  # blocks
            "alerts@example.com",
            list(ON_CALL),
            "\n".join([f"Subject: {subject}", "", *lines]),
            mail_options=(),
        )
    return code


async def all_clear(subject: str) -> None:
    s = mail.SMTP(host=settings.HOST, port=settings.PORT)  # blocks
    for recipient in ON_CALL:
        (
            s.send_message(  # blocks
                compose(recipient, f"Clear: {subject}", sender="alerts@example.com"),
            )
        )
    s.quit()  # blocks
