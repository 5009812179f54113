"""Imports that go when nothing refers to them any more, and those that stay."""

import pytest

from asyncsmtp_bridge.migrate.editing.editor import edited
from asyncsmtp_bridge.migrate.editing.edits import Edits, Import, Span


def without(text: str, *names: str) -> str:
    return edited(text, Edits(unused=frozenset(names)))


GO = [
    ("import smtplib\nx = 1\n", "x = 1\n"),
    ("import smtplib\n\n\ndef f(): pass\n", "def f(): pass\n"),
    ('"""Doc."""\n\nimport smtplib\n\n\ndef f(): pass\n', '"""Doc."""\n\n\ndef f(): pass\n'),
    ('"""Doc."""\n\nimport smtplib\nfrom x import y\n', '"""Doc."""\n\nfrom x import y\n'),
    ("import os\nimport smtplib\nimport sys\n", "import os\nimport sys\n"),
    ("import os\nimport smtplib\n\nimport x\n", "import os\n\nimport x\n"),
    ("import os\n\nimport smtplib\nimport x\n", "import os\n\nimport x\n"),
    ("import smtplib\n\nimport x\n", "import x\n"),
    ("import smtplib as s\nx = 1\n", "import smtplib as s\nx = 1\n"),
    ("import x as smtplib\nx = 1\n", "x = 1\n"),
    ("import smtplib.x\nx = 1\n", "x = 1\n"),
    ("import smtplib  # why\nx = 1\n", "x = 1\n"),
    ("import os, smtplib\n", "import os\n"),
    ("import smtplib, os\n", "import os\n"),
    ("import a, smtplib , os  # both\n", "import a, os  # both\n"),
    ("import os; import smtplib\n", "import os\n"),
    ("import smtplib; import os;\n", "import os;\n"),
    ("# License\n\nimport smtplib\n\nimport x\n", "# License\n\nimport x\n"),
    ("# License\nimport smtplib\n\nimport x\n", "# License\n\nimport x\n"),
    ("import os\n# about mail\nimport smtplib\nimport x\n", "import os\n# about mail\nimport x\n"),
    (
        "import os\n\n# about mail\nimport smtplib\n\n# about x\nimport x\n",
        "import os\n\n# about mail\n\n# about x\nimport x\n",
    ),
    ("x = 1\n# about mail\nimport smtplib\n# end\n", "x = 1\n# about mail\n# end\n"),
    ("import smtplib\r\nx = 1\r\n", "x = 1\r\n"),
    ("x = 1\nimport smtplib", "x = 1"),
    ("def f():\n    import smtplib\n\n    return 1\n", "def f():\n    return 1\n"),
    ("def f():\n    x = 1\n    import smtplib\n    return x\n", "def f():\n    x = 1\n    return x\n"),
    (
        "class A:\n    async def f(self):\n        '''Doc.'''\n        import smtplib\n\n        g()\n",
        "class A:\n    async def f(self):\n        '''Doc.'''\n\n        g()\n",
    ),
    ("import smtplib\n\ndef f():\n    import smtplib\n    x()\n", "def f():\n    x()\n"),
]


@pytest.mark.parametrize(("before", "after"), GO)
def test_an_import_goes_that_nothing_refers_to(before: str, after: str):
    assert without(before, "smtplib") == after


NAMES = [
    ("from smtplib import SMTP", None),
    ("from smtplib import SMTP, B", "from smtplib import B"),
    ("from smtplib import A, SMTP", "from smtplib import A"),
    ("from smtplib import A, SMTP, B  # both", "from smtplib import A, B  # both"),
    ("from smtplib import (A, SMTP)", "from smtplib import (A)"),
    ("from smtplib import (SMTP, B,)", "from smtplib import (B,)"),
    ("from smtplib import X as SMTP, B", "from smtplib import B"),
    ("from smtplib import A, \\\n    SMTP, B", "from smtplib import A, \\\n    B"),
    ("from smtplib import A, SMTP, \\\n    B", "from smtplib import A, B"),
    (
        "from smtplib import (\n    A,  # a\n    # above\n    SMTP,  # gone\n    # below\n    B,  # b\n)",
        "from smtplib import (\n    A,  # a\n    # above\n    # below\n    B,  # b\n)",
    ),
    (
        "from smtplib import (\n    SMTP,  # gone\n    # below\n    B,\n)",
        "from smtplib import (\n    # below\n    B,\n)",
    ),
    (
        "from smtplib import (\n    A,  # a\n    SMTP,  # gone\n    # end\n)",
        "from smtplib import (\n    A,  # a\n    # end\n)",
    ),
    ("from smtplib import (\n    A,  # a\n    SMTP  # gone\n)", "from smtplib import (\n    A  # a\n)"),
    ("from smtplib import (A,  # a\n                     SMTP)", "from smtplib import (A  # a\n                     )"),
    ("from smtplib import (A, SMTP,\n                     B)", "from smtplib import (A,\n                     B)"),
    ("from smtplib import (\n    A, SMTP,  # gone\n    B,\n)", "from smtplib import (\n    A,\n    B,\n)"),
    ("from smtplib import (SMTP, A,\n                     B)", "from smtplib import (A,\n                     B)"),
]


@pytest.mark.parametrize(("before", "after"), NAMES)
def test_of_several_names_only_the_one_goes(before: str, after: str | None):
    assert without(f"{before}\nx = 1\n", "SMTP") == ("" if after is None else f"{after}\n") + "x = 1\n"


def test_all_names_of_a_line_may_go():
    assert without("from smtplib import A, B, C\nx = 1\n", "A", "B", "C") == "x = 1\n"
    assert without("from smtplib import A, B, C\nx = 1\n", "A", "C") == "from smtplib import B\nx = 1\n"


@pytest.mark.parametrize(
    "text",
    [
        "import smtplib\nx = smtplib.SMTP\n",
        "import smtplib\ndel smtplib\n",
        "import smtplib\ndef f(x: 'list[smtplib.SMTP]'): pass\n",
        "import smtplib\n__all__ = ['smtplib']\n",
        "import smtplib\nx = globals()['smtplib']\n",
        "import smtplib\nx = None  # type: smtplib.SMTP\n",
        "import smtplib\ndef f():\n    global smtplib\n    pass\n",
        "import smtplib\nx = f'{smtplib}'\n",
        "import smtplib  # noqa: F401\n",
        "import smtplib  # NOQA\n",
        "from x import (\n    smtplib,  # noqa\n    y,\n)\n",
        "try:\n    import smtplib\nexcept ImportError:\n    pass\n",
        "if x:\n    import smtplib\n    pass\n",
        "def f():\n    import smtplib\n",
        "def f(): import smtplib\n",
        "class A:\n    import smtplib\n    x = 1\n",
        "from smtplib import *\n",
        "import os\n",
    ],
)
def test_an_import_stays(text: str):
    assert without(text, "smtplib") == text


@pytest.mark.parametrize("word", ["'smtplib failed'", "x.smtplib", "f(smtplib=1)", "'''about smtplib'''"])
def test_what_only_looks_like_the_name_is_no_reference(word: str):
    assert without(f"import smtplib\nx = {word}\n", "smtplib") == f"x = {word}\n"


def test_what_was_edited_counts():
    text = "import smtplib\n\n\nasync def f():\n    with smtplib.SMTP() as s:\n        s.quit()\n"
    edits = Edits(
        awaited=frozenset({Span(6, 8, 6, 16)}),
        replaced={Span(5, 9, 5, 21): "AsyncSMTP"},
        entered=frozenset({Span(5, 4, 6, 16)}),
        imports=(Import("asyncsmtp_bridge", "AsyncSMTP"),),
        unused=frozenset({"smtplib"}),
    )
    assert edited(text, edits) == (
        "from asyncsmtp_bridge import AsyncSMTP\n\n\n"
        "async def f():\n    async with AsyncSMTP() as s:\n        await s.quit()\n"
    )
