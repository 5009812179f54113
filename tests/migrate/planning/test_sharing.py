"""Functions that use what others use, too: small programs, of which `deliver` is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from asyncsmtp_bridge.migrate.analysis.blocking import Blocking
from asyncsmtp_bridge.migrate.analysis.inference import Inference
from asyncsmtp_bridge.migrate.planning.sharing import Sharing
from asyncsmtp_bridge.migrate.sources import read

HEAD = """\
import contextlib, functools, queue, smtplib, threading
from dataclasses import dataclass, field
from connections import Keeper, Mailer, Counter, kept, limits

_lock = threading.Lock()

"""
CONNECTIONS = """\
import smtplib


class limits:
    seconds = 5


class Mailer:
    def __init__(self, host="localhost"):
        self.host = host

    def send(self, to):
        with smtplib.SMTP(self.host) as smtp:
            smtp.sendmail("a@example.com", to, "")


class Counter(Mailer):
    sent = 0

    def send(self, to):
        super().send(to)
        self.sent += 1


class Keeper:
    def __init__(self, session=None):
        self.session = session or smtplib.SMTP("localhost")

    def send(self, to):
        self.session.sendmail("a@example.com", to, "")


kept = smtplib.SMTP("localhost")
"""


@dataclass
class Case:
    """A program.

    Args:
        shows: What it shows.
        shared: What `deliver` shares; None: nothing.
        text: Its source.
        asked: Another function or method that is asked in place of `deliver`.
    """

    shows: str
    shared: str | None
    text: str
    asked: str = "deliver"


def cases(text: str) -> list[Case]:
    """The programs in a text: each begins with ``===``, what it shows, and ``->`` with what is shared."""
    found = []
    for part in text.split("\n=== ")[1:]:
        title, _, source = part.partition("\n")
        shows, _, shared = title.partition(" -> ")
        asked, _, shows = shows.rpartition(": ")
        found.append(Case(shows, None if shared == "nothing" else shared, source, asked or "deliver"))
    return found


CASES = cases(
    """
=== a session in a name of the module -> _session
_session = smtplib.SMTP("localhost")
def deliver(to):
    _session.sendmail("", to, "")

=== a session that a function makes global -> _session
def connect():
    global _session
    _session = smtplib.SMTP("localhost")
def deliver(to):
    connect()
    _session.sendmail("", to, "")

=== a session that a getter keeps -> _session
_session = None
def session(port):
    global _session
    if _session is None:
        _session = smtplib.SMTP("localhost", port)
    return _session
def deliver(port, to):
    session(port).sendmail("", to, "")

=== the getter itself -> _session
_session = None
def deliver(port):
    global _session
    if _session is None:
        _session = smtplib.SMTP("localhost", port)
    return _session

=== a session of another module, by name -> kept
def deliver(to):
    kept.sendmail("", to, "")

=== a session of another module, as its attribute -> connections.kept
import connections
def deliver(to):
    connections.kept.sendmail("", to, "")

=== a session of the module under a local name -> _session
_session = smtplib.SMTP("localhost")
def deliver(to):
    smtp = _session
    smtp.sendmail("", to, "")

=== one of two sessions -> _session
_session = smtplib.SMTP("localhost")
def deliver(to, anew=False):
    smtp = smtplib.SMTP("localhost") if anew else _session
    smtp.sendmail("", to, "")

=== a session of the module that is entered -> _session
_session = smtplib.SMTP("localhost")
def deliver(to):
    with _session as smtp:
        pass

=== a method of a session that was given a name -> put
put = smtplib.SMTP("localhost").sendmail
def deliver(to):
    put("", to, "")

=== a session two calls further on -> _session
_session = smtplib.SMTP("localhost")
def transmit(to):
    _session.sendmail("", to, "")
def letter(to):
    transmit(to)
def deliver(to):
    letter(to)

=== a session that is passed on -> _session
_session = smtplib.SMTP("localhost")
def transmit(smtp, to):
    smtp.sendmail("", to, "")
def deliver(to):
    transmit(_session, to)

=== a session of which the method is passed on -> _session
_session = smtplib.SMTP("localhost")
def insist(function, *args):
    return function(*args)
def deliver(to):
    insist(_session.sendmail, "", to, "")

=== a session in a lambda -> _session
_session = smtplib.SMTP("localhost")
def insist(function):
    return function()
def deliver(to):
    insist(lambda: _session.sendmail("", to, ""))

=== a wrapper that keeps its session -> keeper
keeper = Keeper()
def deliver(to):
    keeper.send(to)

=== a wrapper that changes while it sends -> counter
counter = Counter()
def deliver(to):
    counter.send(to)

=== a wrapper that makes a session for each message -> nothing
mailer = Mailer()
def deliver(to):
    mailer.send(to)

=== a wrapper of which the source is not read -> corp
from corp.mail import Corp
corp = Corp()
def deliver(to):
    corp.send(to)

=== a session in an attribute of an object of the module -> keeper
keeper = Keeper()
def deliver(to):
    keeper.session.sendmail("", to, "")

=== an attribute of a class -> Dispatcher.keeper
class Dispatcher:
    keeper = Keeper()
def deliver(to):
    Dispatcher.keeper.send(to)

=== Dispatcher.send: an attribute of its class by self -> Dispatcher.keeper
class Dispatcher:
    keeper = Keeper()
    def send(self, to):
        self.keeper.send(to)

=== Dispatcher.send: an attribute that a class method assigns -> Dispatcher._session
class Dispatcher:
    _session = None
    @classmethod
    def session(cls) -> smtplib.SMTP:
        if cls._session is None:
            cls._session = smtplib.SMTP("localhost")
        return cls._session
    def send(self, to):
        self.session().sendmail("", to, "")

=== Dispatcher.send: a collection in the body of its class -> Dispatcher._sessions
class Dispatcher:
    _sessions: dict[str, smtplib.SMTP] = {}
    def send(self, to):
        self._sessions[to].sendmail("", to, "")

=== a collection of the module -> _sessions
_sessions = {}
def session(host):
    if host not in _sessions:
        _sessions[host] = smtplib.SMTP(host)
    return _sessions[host]
def deliver(host, to):
    session(host).sendmail("", to, "")

=== a collection that is asked with get -> _sessions
_sessions: dict[str, smtplib.SMTP] = {}
def deliver(host, to):
    _sessions.get(host).sendmail("", to, "")

=== a collection that is walked through -> _sessions
_sessions = [smtplib.SMTP("localhost")]
def deliver():
    for each in _sessions:
        each.noop()

=== what is taken out of a collection -> nothing
_idle = [smtplib.SMTP("localhost")]
def deliver(to):
    smtp = _idle.pop()
    smtp.sendmail("", to, "")
    _idle.append(smtp)

=== a default argument -> smtp
def deliver(to, smtp=smtplib.SMTP("localhost")):
    smtp.sendmail("", to, "")

=== a default argument that is given -> nothing
def transmit(to, smtp=smtplib.SMTP("localhost")):
    smtp.sendmail("", to, "")
def deliver(to):
    transmit(to, smtplib.SMTP("localhost"))

=== factory.<locals>.send: the closure of a factory -> smtp
def factory():
    smtp = smtplib.SMTP("localhost")
    def send(to):
        smtp.sendmail("", to, "")
    return send

=== the closure of a decorator -> smtp
def connected(function):
    smtp = smtplib.SMTP("localhost")
    @functools.wraps(function)
    def wrapper(to):
        smtp.noop()
        return function(to)
    return wrapper
@connected
def deliver(to):
    smtplib.SMTP("localhost")

=== what a cached function gives -> session()
@functools.lru_cache(maxsize=None)
def session():
    return smtplib.SMTP("localhost")
def deliver(to):
    session().sendmail("", to, "")

=== a cached function -> deliver()
@functools.cache
def deliver():
    return smtplib.SMTP("localhost")

=== a function that is cached under another name -> session()
def connect():
    return smtplib.SMTP("localhost")
session = functools.cache(connect)
def deliver(to):
    session().sendmail("", to, "")

=== an only object of its class -> Only._only
class Only(Keeper):
    _only = None
    def __new__(cls):
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only
def deliver(to):
    Only().send(to)

=== Outbox.send: an object that was given what others have -> _session
_session = smtplib.SMTP("localhost")
class Outbox:
    def __init__(self):
        self.smtp = _session
    def send(self, to):
        self.smtp.sendmail("", to, "")

=== Outbox.send: a session of the module in a method -> _session
_session = smtplib.SMTP("localhost")
class Outbox:
    def send(self, to):
        _session.sendmail("", to, "")

=== Outbox.send: an attribute of its own object -> nothing
class Outbox:
    smtp = None
    def __init__(self):
        self.smtp = smtplib.SMTP("localhost")
    def send(self, to):
        self.smtp.sendmail("", to, "")

=== Outbox.send: a wrapper that its object was given -> nothing
class Outbox:
    def __init__(self, keeper: Keeper):
        self.keeper = keeper
    def send(self, to):
        self.keeper.send(to)

=== Outbox.send: what a field of a dataclass makes -> nothing
@dataclass
class Outbox:
    keeper: Keeper = field(default_factory=Keeper)
    def send(self, to):
        self.keeper.send(to)

=== Outbox.send: a property that connects -> nothing
class Outbox:
    @functools.cached_property
    def smtp(self):
        return smtplib.SMTP("localhost")
    def send(self, to):
        self.smtp.sendmail("", to, "")

=== Outbox.send: a property that gives what is kept -> _session
_session = smtplib.SMTP("localhost")
class Outbox:
    @property
    def smtp(self):
        return _session
    def send(self, to):
        self.smtp.sendmail("", to, "")

=== a session of its own in a with statement -> nothing
def deliver(to):
    with smtplib.SMTP("localhost") as smtp:
        smtp.sendmail("", to, "")

=== settings of the module -> nothing
def deliver(to):
    smtp = smtplib.SMTP("localhost", timeout=limits.seconds)
    smtp.sendmail("", to, "")

=== a session that a function makes -> nothing
def connect():
    smtp = smtplib.SMTP("localhost")
    return smtp
def deliver(to):
    with contextlib.closing(connect()) as smtp:
        smtp.sendmail("", to, "")

=== a parameter -> nothing
def deliver(smtp: smtplib.SMTP, to):
    smtp.sendmail("", to, "")

=== an object of its own -> nothing
def deliver(to):
    keeper = Keeper()
    keeper.send(to)

=== an object of its own in a nested function -> nothing
def deliver(addresses):
    smtp = smtplib.SMTP("localhost")
    def one(to):
        smtp.sendmail("", to, "")
    for each in addresses:
        one(each)

=== what a thread keeps -> nothing
_local = threading.local()
def session():
    if not hasattr(_local, "smtp"):
        _local.smtp = smtplib.SMTP("localhost")
    return _local.smtp
def deliver(to):
    session().sendmail("", to, "")

=== what a thread keeps in a class of its own -> nothing
class Local(threading.local):
    def __init__(self):
        self.smtp = smtplib.SMTP("localhost")
_local = Local()
def deliver(to):
    _local.smtp.sendmail("", to, "")

=== a lock around the step -> nothing
_session = smtplib.SMTP("localhost")
def deliver(to):
    with _lock:
        _session.sendmail("", to, "")

=== a lock in the method -> nothing
class Guarded:
    def __init__(self):
        self._mutex = threading.Lock()
        self.smtp = smtplib.SMTP("localhost")
    def send(self, to):
        with self._mutex:
            self.smtp.sendmail("", to, "")
guarded = Guarded()
def deliver(to):
    guarded.send(to)

=== a lock in a caller between -> nothing
_session = smtplib.SMTP("localhost")
def transmit(to):
    _session.sendmail("", to, "")
def deliver(to):
    with _lock:
        transmit(to)

=== a lock in a decorator -> nothing
_session = smtplib.SMTP("localhost")
def synchronized(function):
    @functools.wraps(function)
    def wrapper(*args):
        with _lock:
            return function(*args)
    return wrapper
@synchronized
def deliver(to):
    _session.sendmail("", to, "")

=== a session that a context manager gives under a lock -> nothing
_session = smtplib.SMTP("localhost")
@contextlib.contextmanager
def turn():
    with _lock:
        yield _session
def deliver(to):
    with turn() as smtp:
        smtp.sendmail("", to, "")

=== a session that a context manager gives -> _session
_session = smtplib.SMTP("localhost")
@contextlib.contextmanager
def turn():
    yield _session
def deliver(to):
    with turn() as smtp:
        smtp.sendmail("", to, "")

=== a lock around the getter only -> _session
_session = None
def session():
    global _session
    with _lock:
        if _session is None:
            _session = smtplib.SMTP("localhost")
    return _session
def deliver(to):
    session().sendmail("", to, "")

=== a step before the lock -> _session
_session = smtplib.SMTP("localhost")
def deliver(to):
    _session.rset()
    with _lock:
        _session.sendmail("", to, "")

=== what only sounds like a lock -> _session
_session = smtplib.SMTP("localhost")
def blocking_clock():
    return contextlib.nullcontext()
def deliver(to):
    with blocking_clock():
        _session.sendmail("", to, "")

=== functions that call each other -> _session
_session = smtplib.SMTP("localhost")
def other(number):
    deliver(number - 1)
    _session.noop()
def deliver(number):
    if number:
        other(number)
"""
)


def shared_by(case: Case, folder: Path) -> str | None:
    (folder / "main.py").write_text(HEAD + case.text)
    (folder / "connections.py").write_text(CONNECTIONS)
    sources = read([folder])
    assert not sources.unread
    inference = Inference(sources.sources, ["corp.mail.Corp"])
    functions = [each for module in inference.modules if module.name == "main" for each in module.functions]
    (function,) = [each for each in functions if each.qualname == case.asked]
    blocking = Blocking(inference)
    assert next(iter(blocking.steps(function)), None) is not None, "it does not block, and is not asked for"
    return Sharing(inference, blocking).of(function)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.shows.replace(" ", "-"))
def test_what_is_shared(case: Case, tmp_path: Path) -> None:
    assert shared_by(case, tmp_path) == case.shared
