"""A server that answers every line with 250, in a process of its own, where it does not take the client's GIL.

It knows no SMTP but that QUIT is answered with 221, and is about as quick as Python can be.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

from .processes import HOST, serving


def replying_server() -> AbstractContextManager[int]:
    """Have the process; yields the port."""
    return serving(__name__)


class Replies(StreamRequestHandler):
    """One connection."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Greet, and reply until the client hangs up."""
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            self.wfile.write(b"221 Bye\r\n" if line[:4].upper() == b"QUIT" else b"250 OK\r\n")


def main() -> None:
    """Serve until whoever started this process closes its stdin, or ends."""
    with ThreadingTCPServer((HOST, 0), Replies) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
