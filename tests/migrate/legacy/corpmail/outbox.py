"""Messages that wait: named as what sends them, but only kept."""

from email.message import EmailMessage

from corpmail.messages import compose

WAITING: list[EmailMessage] = []


def notify(to: str, subject: str) -> None:
    WAITING.append(compose(to, subject))


def send_invoice(customer: str, number: int) -> None:
    notify(customer, f"Invoice {number}")


class Outbox:
    """Has the methods of a session, and is none."""

    def __init__(self) -> None:
        self.connected = False

    def connect(self, host: str, port: int) -> None:
        self.connected = True

    def send_message(self, message: EmailMessage) -> None:
        WAITING.append(message)

    def quit(self) -> int:
        self.connected = False
        return len(WAITING)


async def keep(to: str, subject: str) -> int:
    notify(to, subject)
    outbox = Outbox()
    outbox.connect("nowhere.example.com", 25)
    outbox.send_message(compose(to, subject))
    return outbox.quit()
