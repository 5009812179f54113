"""New colleagues, greeted through the company's mailer."""

from typing import Optional, Union

from corpmail import corporate
from corpmail.corporate import CorpMailer, get_mailer, mailer
from corpmail.corporate import mailer as _corp

BOARD = ["chair@example.com", "deputy@example.com"]


async def hire(name: str) -> int:
    mailer.send(f"{name}@example.com", "Hired")  # blocks
    number = corporate.mailer.send(BOARD, f"Hired: {name}")  # blocks
    corporate.send("payroll@example.com", f"Hired: {name}")  # blocks
    return number


async def promote(name: str, chosen: Optional[CorpMailer] = None) -> bool:
    chosen = chosen or get_mailer()
    if not chosen.ping():  # blocks
        return False
    message = chosen.compose(BOARD, name)
    chosen.send(message["To"], f"Promoted: {name}")  # blocks
    return True


async def retire(name: str, through: Union[CorpMailer, None]) -> None:
    if through is None:
        return
    get_mailer().send("payroll@example.com", f"Retired: {name}")  # blocks
    through.send(BOARD, f"Retired: {name}")  # blocks


class Desk:
    """Keeps a mailer that it was given."""

    mailer: CorpMailer

    def __init__(self, given=None) -> None:
        self.mailer = given if given is not None else _corp

    async def welcome(self, name: str) -> str:
        self.mailer.send(f"{name}@example.com", "Welcome")  # blocks
        return self.mailer.sender


async def transfer(name: str) -> None:
    await retire(name, mailer)
    await Desk().welcome(name)
