"""A scriptable SMTP server for test suites: `SMTPTestServer`, and the faults that it can be told to show.

    from asyncsmtp_bridge.testing import SMTPTestServer, refuse

    def test_a_greylisted_message_arrives_in_the_end():
        with SMTPTestServer(faults=[refuse("RCPT", "450 4.2.0 Greylisted", times=1)]) as server:
            send_with_my_code(server.host, server.port)
            [received] = server.messages
            assert received.message["Subject"] == "Hello"

Needs the extra: `pip install "asyncsmtp_bridge[testing]"`. Nothing here depends on the rest of the package.
"""

try:
    import aiosmtpd  # noqa: F401
except ImportError as error:
    raise ImportError(
        'asyncsmtp_bridge.testing needs aiosmtpd: pip install "asyncsmtp_bridge[testing]"', name="aiosmtpd"
    ) from error

from .faults import (
    Fault,
    Per,
    Step,
    When,
    close_with_421,
    delay,
    drip,
    drop,
    greylist,
    hold,
    refuse,
    silence,
)
from .record import Line, Milestone, Received, SessionFacts
from .server import SMTPTestServer

__all__ = [
    "Fault",
    "Line",
    "Milestone",
    "Per",
    "Received",
    "SMTPTestServer",
    "SessionFacts",
    "Step",
    "When",
    "close_with_421",
    "delay",
    "drip",
    "drop",
    "greylist",
    "hold",
    "refuse",
    "silence",
]
