"""Imports: where a new one is put, and how one that is there is extended."""

import pytest

from asyncsmtp_bridge.migrate.editing.editor import edited
from asyncsmtp_bridge.migrate.editing.edits import Edits, Import

SMTP = Import("asyncsmtp_bridge", "AsyncSMTP")
BRIDGE = Import("asyncsmtp_bridge", "bridge")

EXTENDED = [
    ("from asyncsmtp_bridge import bridge", "from asyncsmtp_bridge import AsyncSMTP, bridge"),
    ("from asyncsmtp_bridge import AsyncLMTP", "from asyncsmtp_bridge import AsyncLMTP, AsyncSMTP, bridge"),
    ("from asyncsmtp_bridge import (AsyncSMTP,)", "from asyncsmtp_bridge import (AsyncSMTP, bridge,)"),
    (
        "from asyncsmtp_bridge import to_thread, blocking",
        "from asyncsmtp_bridge import to_thread, blocking, AsyncSMTP, bridge",
    ),
    ("from asyncsmtp_bridge import bridge as b", "from asyncsmtp_bridge import AsyncSMTP, bridge, bridge as b"),
    (
        "from asyncsmtp_bridge import to_thread  # noqa",
        "from asyncsmtp_bridge import AsyncSMTP, bridge, to_thread  # noqa",
    ),
    (
        "from asyncsmtp_bridge import (\n    AsyncLMTP,  # one\n    # above\n    blocking,  # two\n    to_thread,\n)",
        "from asyncsmtp_bridge import (\n    AsyncLMTP,  # one\n    AsyncSMTP,\n"
        "    # above\n    blocking,  # two\n    bridge,\n    to_thread,\n)",
    ),
    (
        "from asyncsmtp_bridge import (\n    # above\n    AsyncLMTP,  # one\n    # below\n)",
        "from asyncsmtp_bridge import (\n    # above\n    AsyncLMTP,  # one\n"
        "    AsyncSMTP,\n    bridge,\n    # below\n)",
    ),
    (
        "from asyncsmtp_bridge import (\n  to_thread  # two\n)",
        "from asyncsmtp_bridge import (\n  AsyncSMTP,\n  bridge,\n  to_thread  # two\n)",
    ),
    (
        "from asyncsmtp_bridge import (AsyncLMTP,\n                              to_thread)",
        "from asyncsmtp_bridge import (AsyncLMTP,\n                              AsyncSMTP, bridge, to_thread)",
    ),
    (
        "from asyncsmtp_bridge import AsyncLMTP, \\\n    to_thread",
        "from asyncsmtp_bridge import AsyncLMTP, \\\n    AsyncSMTP, bridge, to_thread",
    ),
    (
        "import os; from asyncsmtp_bridge import bridge; x = 1",
        "import os; from asyncsmtp_bridge import AsyncSMTP, bridge; x = 1",
    ),
    ("x = 1\nfrom asyncsmtp_bridge import bridge", "x = 1\nfrom asyncsmtp_bridge import AsyncSMTP, bridge"),
]


@pytest.mark.parametrize(("before", "after"), EXTENDED)
def test_an_import_that_is_there_is_extended(before: str, after: str):
    assert edited(before + "\n", Edits(imports=(BRIDGE, SMTP))) == after + "\n"


def test_names_that_are_imported_are_not_imported_again():
    text = "import os\nfrom asyncsmtp_bridge import AsyncSMTP\nfrom asyncsmtp_bridge import (bridge)\n"
    assert edited(text, Edits(imports=(SMTP, BRIDGE))) == text


@pytest.mark.parametrize(
    "there",
    [
        "from asyncsmtp_bridge import *",
        "from .asyncsmtp_bridge import bridge",
        "import asyncsmtp_bridge",
        "from asyncsmtp_bridge.smtplib import bridge",
    ],
)
def test_an_import_of_another_kind_is_not_extended(there: str):
    lines = edited(f"{there}\n", Edits(imports=(BRIDGE,))).splitlines()
    assert there in lines
    assert "from asyncsmtp_bridge import bridge" in lines


NEW = "from asyncsmtp_bridge import bridge"

PLACES = {
    "among those of others": (
        "import os\n\nimport aiohttp\nfrom flask import g\n\nx = 1\n",
        "import os\n\nimport aiohttp\n{}\nfrom flask import g\n\nx = 1\n",
    ),
    "before all others": (
        "import os\n\nfrom flask import g\nfrom x import y\n",
        "import os\n\n{}\nfrom flask import g\nfrom x import y\n",
    ),
    "behind all others": (
        "import os\n\nimport x\nfrom aa import b  # c\n\n\ndef f(): pass\n",
        "import os\n\nimport x\nfrom aa import b  # c\n{}\n\n\ndef f(): pass\n",
    ),
    "among others in an order of their own": (
        "from aa import b\nimport flask\nimport x\n",
        "from aa import b\n{}\nimport flask\nimport x\n",
    ),
    "behind others in no order": ("import x\nimport flask\nimport b\n", "import x\nimport flask\nimport b\n{}\n"),
    "among others in one block with the standard library": (
        "import os\nimport flask\nimport x\n",
        "import os\nimport flask\nimport x\n{}\n",
    ),
    "between standard library and project": (
        "import os\n\nfrom corp import x\n\ny = 1\n",
        "import os\n\n{}\n\nfrom corp import x\n\ny = 1\n",
    ),
    "between standard library and relative ones": (
        "import os\nfrom . import x\n",
        "import os\n\n{}\n\nfrom . import x\n",
    ),
    "behind the standard library": (
        "import os\nimport sys\n\n\ndef f(): pass\n",
        "import os\nimport sys\n\n{}\n\n\ndef f(): pass\n",
    ),
    "behind the standard library, before a condition": (
        "import os\ntry:\n    import x\nexcept ImportError:\n    x = None\n",
        "import os\n\n{}\n\ntry:\n    import x\nexcept ImportError:\n    x = None\n",
    ),
    "behind the future": (
        "from __future__ import annotations\n\nx = 1\n",
        "from __future__ import annotations\n\n{}\n\nx = 1\n",
    ),
    "before the project": (
        '"""Doc."""\n\n# about corp\nfrom corp import x\n',
        '"""Doc."""\n\n{}\n\n# about corp\nfrom corp import x\n',
    ),
    "before relative ones": ("from . import x\nfrom .y import z\n", "{}\n\nfrom . import x\nfrom .y import z\n"),
    "before a condition": ("if x:\n    import y\n", "{}\n\nif x:\n    import y\n"),
    "behind the docstring": ('"""Doc."""\nx = 1\n', '"""Doc."""\n\n{}\n\nx = 1\n'),
    "behind docstring and dunders": (
        '"""Doc."""\n\n__all__ = []\n\nx = 1\n',
        '"""Doc."""\n\n__all__ = []\n\n{}\n\nx = 1\n',
    ),
    "above a definition": ("def f(): pass\n", "{}\n\n\ndef f(): pass\n"),
    "below a license": ("# License\n\n# about x\nx = 1\n", "# License\n\n{}\n\n# about x\nx = 1\n"),
    "below what a program begins with": (
        "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n\n\nclass A: pass\n",
        "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n\n{}\n\n\nclass A: pass\n",
    ),
    "below an encoding that is declared in the second line": (
        "\n# coding: utf-8\nx = 1\n",
        "\n# coding: utf-8\n\n{}\n\nx = 1\n",
    ),
    "above blank lines": ("\n\nx = 1\n", "{}\n\n\nx = 1\n"),
    "with the line ends of the file": ("import os\r\n\r\nx = 1\r\n", "import os\r\n\r\n{}\r\n\r\nx = 1\r\n"),
    "among those of others behind other statements": (
        "import os\n\nx = 1\n\nfrom flask import g\n",
        "import os\n\nx = 1\n\n{}\nfrom flask import g\n",
    ),
    "among others behind a search path": (
        "import sys\nsys.path.insert(0, 'lib')\nimport asyncio\nfrom util import send\nimport json\n",
        "import sys\nsys.path.insert(0, 'lib')\nimport asyncio\n{}\nfrom util import send\nimport json\n",
    ),
    "behind the standard library behind a search path": (
        "import sys\nsys.path.insert(0, 'lib')\nimport asyncio\nfrom corp import send\n",
        "import sys\nsys.path.insert(0, 'lib')\nimport asyncio\n\n{}\n\nfrom corp import send\n",
    ),
    "behind the standard library in the last block": (
        "import sys\nimport six\n\nsys.path.insert(0, 'lib')\n\nimport json\nfrom corp import send\n",
        "import sys\nimport six\n\nsys.path.insert(0, 'lib')\n\nimport json\n\n{}\n\nfrom corp import send\n",
    ),
    "before the project behind other statements": (
        "x = 1\n\n# about corp\nfrom corp import send\n",
        "x = 1\n\n{}\n\n# about corp\nfrom corp import send\n",
    ),
    "apart from what follows": ("import os\nos.umask(0)\n", "import os\n\n{}\n\nos.umask(0)\n"),
    "behind conditions, a version and comments among the imports": (
        "import os\n\n__version__ = '1'\n\ntry:\n    import x\nexcept ImportError:\n    x = None\n"
        "# why\nif x:\n    import y\n\nimport json\n",
        "import os\n\n__version__ = '1'\n\ntry:\n    import x\nexcept ImportError:\n    x = None\n"
        "# why\nif x:\n    import y\n\nimport json\n\n{}\n",
    ),
    "not among imports below a definition": (
        "import os\n\n\nclass A: pass\n\n\nimport flask\n",
        "import os\n\n{}\n\n\nclass A: pass\n\n\nimport flask\n",
    ),
    "not among imports below a definition in a condition": (
        "import os\n\nif os:\n\n    def f(): pass\n\n\nimport flask\n",
        "import os\n\n{}\n\nif os:\n\n    def f(): pass\n\n\nimport flask\n",
    ),
    "not in the part that runs as a script": (
        "import os\n\nif __name__ == '__main__':\n    import x\n",
        "import os\n\n{}\n\nif __name__ == '__main__':\n    import x\n",
    ),
}


@pytest.mark.parametrize("where", PLACES)
def test_a_new_import_is_put(where: str):
    before, after = PLACES[where]
    assert edited(before, Edits(imports=(BRIDGE,)), project={"corp"}) == after.format(NEW)


def test_a_package_that_is_not_known_to_be_the_projects_is_one_of_others():
    assert edited("from corp import x\n", Edits(imports=(BRIDGE,))) == f"{NEW}\nfrom corp import x\n"


def test_several_names_are_imported_in_one_line():
    wanted = (BRIDGE, Import("asyncsmtp_bridge", "AsyncSMTP_SSL"), SMTP, BRIDGE)
    assert edited("import os\n", Edits(imports=wanted)) == (
        "import os\n\nfrom asyncsmtp_bridge import AsyncSMTP, AsyncSMTP_SSL, bridge\n"
    )


def test_several_modules_are_imported_from_in_lines_of_their_own():
    wanted = (BRIDGE, Import("asyncsmtp_bridge.smtplib", "SMTP"))
    assert edited("import os\n", Edits(imports=wanted)) == (
        "import os\n\nfrom asyncsmtp_bridge import bridge\nfrom asyncsmtp_bridge.smtplib import SMTP\n"
    )


def test_a_file_without_a_newline_at_its_end_still_has_none():
    assert edited("import os", Edits(imports=(BRIDGE,))) == f"import os\n\n{NEW}"
