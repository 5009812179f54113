"""What every test of the package starts from."""

from collections.abc import Iterator

import hypothesis
import pytest

from asyncsmtp_bridge import defaults, executor

# How fast examples are made on a busy machine is no property of the package.
hypothesis.settings.register_profile("suite", suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def fresh_defaults(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test finds what another has configured, or another's default executor."""
    monkeypatch.delenv(defaults.SIZE_VARIABLE, raising=False)
    defaults._reset()
    executor._forget_default()
    yield
    defaults._reset()
    executor._forget_default()
