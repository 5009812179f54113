"""What tests of settings are given."""

from __future__ import annotations

import logging

import pytest

from asyncsmtp_bridge import SMTPSettings
from asyncsmtp_bridge.settings import credentials

from .asking import Clock, Waits
from .plantings import Witness
from .servers import WAYS, Attempt, Authority, opened


@pytest.fixture
def witness(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Witness:
    caplog.set_level(logging.DEBUG)
    for name in ("asyncsmtp_bridge", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    return Witness(caplog, capfd)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(credentials, "monotonic", made)
    return made


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    return Waits(monkeypatch)


@pytest.fixture(params=WAYS)
def attempt(request: pytest.FixtureRequest) -> Attempt:
    async def fail(settings: SMTPSettings) -> BaseException:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - what it is, is checked by who asks
            await opened(settings, request.param)
        return caught.value

    return fail


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
