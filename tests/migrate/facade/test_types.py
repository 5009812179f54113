"""Type checkers know what faces have."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from .table import ROOT, faces

USERS = Path(__file__).with_name("users.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All faces, and what users write with them."""
    folder = tmp_path_factory.mktemp("faces")
    for module, text in faces().items():
        (folder / f"{module}.py").write_text(text)
    (folder / "users.py").write_text(USERS.read_text())
    settings = {
        "extraPaths": [str(ROOT)],
        "pythonVersion": "3.10",
        "enableTypeIgnoreComments": False,
        "reportUnnecessaryTypeIgnoreComment": True,
        "reportUnusedCoroutine": True,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    return folder


def _needs(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed; it comes with the extra 'dev'")


@pytest.mark.timeout(180)
def test_mypy_strict_accepts_them_and_sees_the_mistakes(folder: Path) -> None:
    _needs("mypy")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-version",
        "3.10",
        "--config-file=",
        "--no-error-summary",
    ]
    checked = subprocess.run(
        [*command, "--follow-imports=silent", *sorted(path.name for path in folder.glob("*.py"))],
        cwd=folder,
        env={"MYPYPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)


@pytest.mark.timeout(180)
def test_pyright_accepts_them_and_sees_the_mistakes(folder: Path) -> None:
    _needs("pyright")
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", "-p", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if not checked.stdout.startswith("{"):
        pytest.skip(f"pyright cannot be run here: {checked.stderr.strip()[-200:]}")
    found = json.loads(checked.stdout)["generalDiagnostics"]
    said = [f"{Path(each['file']).name}:{each['range']['start']['line'] + 1}: {each['message']}" for each in found]
    assert not said, "\n".join(said)
