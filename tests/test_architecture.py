"""The README is true."""

import re
from pathlib import Path

from deployments.settings import variables
from wallets.chains import CHAINS

_README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_readme_lists_every_setting() -> None:
    """The README's table has each variable with its default, and no other."""
    listed = re.findall(r"^\| `(APP__[A-Z_]+)` \| `?([^|`]*)`? \|", _README, re.MULTILINE)

    assert [(variable.name, variable.default) for variable in variables()] == [(name, default.strip()) for name, default in listed]


def test_the_readme_lists_every_network() -> None:
    """The README's table of networks is the table of chains."""
    assert list(CHAINS) == re.findall(r"^\| `([a-z0-9:]+)` \| [A-Z]", _README, re.MULTILINE)
