"""The rooms keep their direction, every chain is in the table, and the README is true."""

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

from deployments.settings import variables
from wallets import chains
from wallets.chains import CHAINS
from wallets.derivation import DerivationScheme

_ROOT = Path(__file__).parent.parent
_README = (_ROOT / "README.md").read_text()
_CHAIN_MODULES = {"evm", "tron", "solana", "ton"}
_PARTS_OF_CHAINS = {"base", "evm_payload", "protobuf", "refusal", "rlp", "token_calls", "tron_contracts"}


def test_the_rooms_import_only_to_their_right() -> None:
    """Every import contract is kept."""
    result = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=_ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout


def test_every_chain_module_is_in_the_table() -> None:
    """A module of `wallets.chains` is a chain that `CHAINS` has, or a named part of one."""
    modules = {module.name for module in pkgutil.iter_modules(chains.__path__)}
    used = {type(chain).__module__.removeprefix("wallets.chains.").split(".")[0] for chain in CHAINS.values()}

    assert modules - _PARTS_OF_CHAINS == _CHAIN_MODULES == used


def test_the_readme_lists_every_setting() -> None:
    """The README's table has each variable with its default and its meaning, and no other."""
    listed = re.findall(r"^\| `(APP__[A-Z_]+)` \| (.*?) \| (.*) \|$", _README, re.MULTILINE)

    assert [(each.name, f"`{each.default}`" if each.default else "", each.meaning) for each in variables()] == listed


def test_the_readme_lists_every_network() -> None:
    """The README's table of networks is the table of chains."""
    listed = re.findall(r"^\| `([a-z0-9:]+)` \| ([^|`]+) \| ([A-Z]+) \| `(m/[^`]+)` \|", _README, re.MULTILINE)

    assert [(each.network, each.title, each.symbol, each.paths[DerivationScheme.STANDARD]) for each in CHAINS.values()] == listed
