"""Both kinds of executor, and a grace that tests can wait for."""

from collections.abc import Callable

import pytest

from asyncsmtp_bridge import BoundedExecutor, configure

Kind = Callable[..., BoundedExecutor]


@pytest.fixture(params=["dedicated", "shared"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Makes an executor of either kind, from the same arguments."""
    return BoundedExecutor if request.param == "dedicated" else BoundedExecutor.shared


@pytest.fixture
def short_grace() -> None:
    """Who is cancelled waits only for a moment for what cannot be interrupted."""
    configure(cancel_grace=0.05)


@pytest.fixture
def endless_grace() -> None:
    """Who is cancelled waits for as long as it takes: a test that would depend on the grace hangs."""
    configure(cancel_grace=3600)
