"""Running `check` in this process, and what it wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from asyncsmtp_bridge.cli.check import check
from asyncsmtp_bridge.settings import SMTPSettings
from asyncsmtp_bridge.testing import SMTPTestServer

SECRET = "s3cret-of-anna"


@dataclass
class Checked:
    """What a check wrote."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    def step(self, name: str) -> Any:
        """The last step of this name."""
        return [step for step in self.json["steps"] if step["name"] == name][-1]

    def advice(self) -> str:
        """The line of the step that failed."""
        (advice,) = [step["advice"] for step in self.json["steps"] if not step["ok"] and step["name"] != "instead"]
        return str(advice)


def run_check(
    capsys: pytest.CaptureFixture[str],
    settings: SMTPSettings,
    *,
    send_to: str | None = None,
    sender: str | None = None,
    json: bool = True,
) -> Checked:
    """Check settings."""
    status = check(settings, send_to=send_to, from_addr=sender, json=json)
    said = capsys.readouterr()
    return Checked(status, said.out, said.err)


def settings_for(folder: Path, server: SMTPTestServer, tls: Any, **more: Any) -> SMTPSettings:
    """Make settings for a test server, whose CA is trusted."""
    if tls != "none" and "ca_file" not in more:
        more["ca_file"] = folder / "ca.pem"
        more["ca_file"].write_bytes(server.ca_pem)
    return SMTPSettings(server.host, server.port, tls, **{"connect_timeout": 5.0, **more})
