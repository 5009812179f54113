"""All cases: how each legacy module is exercised, and which messages are then delivered."""

from __future__ import annotations

from .cases_direct import DIRECT
from .cases_indirect import INDIRECT

CASES = (*DIRECT, *INDIRECT)
