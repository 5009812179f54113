"""Bridges at a module's level: below what they need, with the blank lines that black and ruff have."""

import pytest

from asyncsmtp_bridge.migrate.editing.editor import edited
from asyncsmtp_bridge.migrate.editing.edits import Bridge, Edits, Import

TOP = "from asyncsmtp_bridge import bridge\n"
LINE = "async_send = bridge(send)"
SEND = Bridge("async_send", "send", frozenset({"send"}))

PLACES = {
    "below a function": ("\n\ndef send():\n    pass\n\n\nx = 1\n", "\n\ndef send():\n    pass\n\n\n{}\n\n\nx = 1\n"),
    "below a function at the end": ("\n\ndef send():\n    pass\n", "\n\ndef send():\n    pass\n\n\n{}\n"),
    "below a function, above a comment": (
        "\n\ndef send(): pass\n\n\n# why\nx = 1\n",
        "\n\ndef send(): pass\n\n\n{}\n\n\n# why\nx = 1\n",
    ),
    "below a class": ("\n\nclass send:\n    pass\n", "\n\nclass send:\n    pass\n\n\n{}\n"),
    "below imports": ("from corp import send\n\n\ndef f(): pass\n", "from corp import send\n\n{}\n\n\ndef f(): pass\n"),
    "below all imports at the top": (
        "from corp import send\nimport y\n\nx = 1\n",
        "from corp import send\nimport y\n\n{}\n\nx = 1\n",
    ),
    "below imports in conditions": (
        "try:\n    from a import send\nexcept ImportError:\n    send = None\n\nx = 1\n",
        "try:\n    from a import send\nexcept ImportError:\n    send = None\n\n{}\n\nx = 1\n",
    ),
    "below type checking": (
        "from a import send\n\nif TYPE_CHECKING:\n    import z\n\n\ndef f(): pass\n",
        "from a import send\n\nif TYPE_CHECKING:\n    import z\n\n{}\n\n\ndef f(): pass\n",
    ),
    "below imports that other statements stand among": (
        "import sys\n\nsys.path.insert(0, 'lib')\nfrom corp import send\nx = 1\nimport json\n\ny = 1\n",
        "import sys\n\nsys.path.insert(0, 'lib')\nfrom corp import send\nx = 1\nimport json\n\n{}\n\ny = 1\n",
    ),
    "below imports that a function stands among": (
        "\n\ndef send(): pass\n\n\nimport json\nx = 1\nimport y\n\n\nasync def f(): pass\n",
        "\n\ndef send(): pass\n\n\nimport json\nx = 1\nimport y\n\n{}\n\n\nasync def f(): pass\n",
    ),
    "below imports that a coroutine function stands above": (
        "\n\nasync def f(): pass\n\n\nfrom corp import send\nimport y\n",
        "\n\nasync def f(): pass\n\n\nfrom corp import send\nimport y\n\n{}\n",
    ),
    "above what runs a coroutine function above": (
        "\n\nasync def f(): pass\n\n\nfrom corp import send\n\nrun(f())\nimport y\n",
        "\n\nasync def f(): pass\n\n\nfrom corp import send\n\n{}\n\nrun(f())\nimport y\n",
    ),
    "not below imports at the end": (
        "\n\ndef send(): pass\n\n\nasync def f(): pass\n\n\nimport y\n",
        "\n\ndef send(): pass\n\n\n{}\n\n\nasync def f(): pass\n\n\nimport y\n",
    ),
    "above what runs as a script, with imports": (
        "from corp import send\nx = 1\nif __name__ == '__main__':\n    import y\nimport z\n",
        "from corp import send\n\n{}\nx = 1\nif __name__ == '__main__':\n    import y\nimport z\n",
    ),
    "below an assignment": ("\nsend = f()\nx = 1\n", "\nsend = f()\n{}\nx = 1\n"),
    "below an unpacking": ("\nx, (send, *y) = f()\n", "\nx, (send, *y) = f()\n{}\n"),
    "below an annotated assignment": ("\nsend: T = f()\n", "\nsend: T = f()\n{}\n"),
    "below the last that binds it": (
        "\n\ndef send(): pass\n\n\nsend = retry(send)\nx = 1\n",
        "\n\ndef send(): pass\n\n\nsend = retry(send)\n{}\nx = 1\n",
    ),
    "below a try": (
        "\ntry:\n    send = f()\nexcept E:\n    send = g()\nx = 1\n",
        "\ntry:\n    send = f()\nexcept E:\n    send = g()\n\n{}\nx = 1\n",
    ),
    "below a condition with functions": (
        "\nif x:\n\n    def send(): pass\n\n\ny = 1\n",
        "\nif x:\n\n    def send(): pass\n\n\n{}\n\n\ny = 1\n",
    ),
    "below a with": ("\nwith f() as send:\n    pass\n", "\nwith f() as send:\n    pass\n\n{}\n"),
    "below a walrus": ("\nprint(send := f())\n", "\nprint(send := f())\n{}\n"),
    "not below a local of the name": (
        "\nsend = f()\n\n\ndef g():\n    send = 1\n",
        "\nsend = f()\n{}\n\n\ndef g():\n    send = 1\n",
    ),
    "not below the variable of a comprehension": (
        "\nsend = f()\nx = [send for send in y]\n",
        "\nsend = f()\n{}\nx = [send for send in y]\n",
    ),
    "not in the part that runs as a script": (
        "\nsend = f()\nif __name__ == '__main__':\n    send = g()\n",
        "\nsend = f()\n{}\nif __name__ == '__main__':\n    send = g()\n",
    ),
    "above bridges that are there": (
        "\n\ndef send(): pass\n\n\nasync_x = bridge(x)\n",
        "\n\ndef send(): pass\n\n\n{}\nasync_x = bridge(x)\n",
    ),
    "below bridges that are there": (
        "\n\ndef send(): pass\n\n\nasync_a = bridge(a)\n",
        "\n\ndef send(): pass\n\n\nasync_a = bridge(a)\n{}\n",
    ),
    "above comments at the end": ("\nsend = f()\n\n# end\n", "\nsend = f()\n{}\n\n# end\n"),
}


@pytest.mark.parametrize("where", PLACES)
def test_a_bridge_is_made(where: str):
    before, after = PLACES[where]
    assert edited(TOP + before, Edits(bridges=(SEND,))) == TOP + after.format(LINE)


@pytest.mark.parametrize("where", PLACES)
def test_a_bridge_that_is_there_is_not_made_again(where: str):
    after = TOP + PLACES[where][1].format(LINE)
    assert edited(after, Edits(bridges=(SEND,))) == after


def test_bridges_in_one_place_are_one_block_in_order():
    text = TOP + "from corp import a, b, c\n\n\ndef f(): pass\n"
    bridges = tuple(Bridge(f"async_{name}", name, frozenset(name)) for name in "cab")
    assert edited(text, Edits(bridges=bridges)) == (
        TOP
        + "from corp import a, b, c\n\n"
        + "async_a = bridge(a)\nasync_b = bridge(b)\nasync_c = bridge(c)\n\n\ndef f(): pass\n"
    )


def test_a_bridge_stands_below_all_names_that_it_needs():
    text = TOP + "\nmailer = Mailer()\nx = 1\nhost = 'y'\nz = 1\n"
    bridges = (Bridge("async_send", "mailer.send_from(host)", frozenset({"mailer", "host"})),)
    assert edited(text, Edits(bridges=bridges)) == (
        TOP + "\nmailer = Mailer()\nx = 1\nhost = 'y'\nasync_send = bridge(mailer.send_from(host))\nz = 1\n"
    )


def test_a_bridge_stands_below_the_import_that_it_is_made_with():
    text = "import os\n\nfrom corp import send\n\nx = 1\n" + TOP
    edits = Edits(imports=(Import("asyncsmtp_bridge", "bridge"),), bridges=(SEND,))
    assert edited(text, edits) == f"{text}\n{LINE}\n"


def test_a_bridge_of_a_function_at_the_top_of_a_module_without_imports_stands_below_the_new_import():
    edits = Edits(imports=(Import("asyncsmtp_bridge", "bridge"),), bridges=(SEND,))
    assert edited("def send():\n    pass\n", edits) == f"{TOP}\n\ndef send():\n    pass\n\n\n{LINE}\n"


def test_a_name_that_nothing_binds_is_an_error():
    with pytest.raises(
        ValueError, match=r"nothing in the module binds send, which 'async_send = bridge\(send\)' needs"
    ):
        edited(TOP + "\n\ndef f():\n    send = 1\n", Edits(bridges=(SEND,)))


def test_a_bridge_that_needs_no_name_stands_below_the_imports():
    bridges = (Bridge("async_send", "__import__('corp').send", frozenset()),)
    assert edited(TOP + "\nx = 1\n", Edits(bridges=bridges)) == (
        TOP + "\nasync_send = bridge(__import__('corp').send)\n\nx = 1\n"
    )
