"""Written before there were annotations."""

import contextlib
import smtplib


class LegacyMailer(object):  # noqa: UP004 - of its time
    """Sends mail. And more, which nobody has written down, and which nobody remembers any longer."""

    prefix = "[corp] "
    retries = 3
    headers = {}  # noqa: RUF012 - of its time

    def __init__(self, host, port=25):
        self.host = host
        self.port = port
        self.sent = 0

    @classmethod
    def from_url(cls, url):
        """Make one of a URL."""
        host, _, port = url.rpartition("/")[2].partition(":")
        mailer = cls(host, int(port))
        return mailer  # noqa: RET504 - of its time

    @classmethod
    def name(cls):
        return cls.__name__

    @staticmethod
    def version():
        return "1.0"

    def send(self, address, subject, *copies, **headers):
        """Send a "mail".

        It is not queued.
        """
        with smtplib.SMTP(self.host, self.port, timeout=10) as smtp:
            text = "Subject: " + self.prefix + subject + "\r\n\r\nHello\r\n"
            smtp.sendmail("billing@example.org", [address, *copies], text)
        self.sent += 1
        return self.sent

    def addresses(self, group):
        yield f"{group}@example.org"

    @contextlib.contextmanager
    def transaction(self):
        yield self.sent

    @property
    def where(self):
        return f"{self.host}:{self.port}"

    dispatch = send
    _private = send
