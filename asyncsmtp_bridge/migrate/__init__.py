"""Tools for the migration: what blocks, a typed face for a wrapper, and the edits.

with find_blocking() as found:      # every use of smtplib on an event loop's thread, while the program runs
    asyncio.run(main())
print(found.calls)
"""

from .finding.blocking_calls import BlockingCall, BlockingCallError, BlockingCallWarning
from .finding.finder import BlockingFinder, find_blocking

__all__ = ["BlockingCall", "BlockingCallError", "BlockingCallWarning", "BlockingFinder", "find_blocking"]
