"""Both kinds of executor, for the tests that hold for both."""

from collections.abc import Callable

import pytest

from asyncsmtp_bridge import BoundedExecutor

Kind = Callable[..., BoundedExecutor]


@pytest.fixture(params=["dedicated", "shared"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Makes an executor of either kind, from the same arguments."""
    return BoundedExecutor if request.param == "dedicated" else BoundedExecutor.shared
