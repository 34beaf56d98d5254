"""The rooms keep their direction, every chain is in the table, the README is true, and the code keeps the house's rules."""

import ast
import pkgutil
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from deployments.settings import variables
from wallets import chains
from wallets.chains import CHAINS
from wallets.derivation import DerivationScheme

_ROOT = Path(__file__).parent.parent
_README = (_ROOT / "README.md").read_text()
_CHAIN_MODULES = {"bitcoin", "evm", "tron", "solana", "ton"}
_FOLDERS = [entry for entry in _ROOT.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
_SOURCES = {str(path.relative_to(_ROOT)): path for folder in _FOLDERS for path in sorted(folder.rglob("*.py"))}
_MAX_MODULE_LINES = 400
_MAX_FUNCTION_LINES = 40
_SUPPRESSION = re.compile(r"noqa|type: ignore|pragma:")
_REASON = r"# (?!noqa|type:|pragma:|ours|see above|as above)\w.*"
_SUPPRESSION_WITH_REASON = re.compile(r"(# (noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\]|pragma: no \w+)  )+" + _REASON)
_PARTS_OF_CHAINS = {"base", "contract_calls", "message_text", "protobuf", "refusal", "rlp", "tron_contracts", "tron_messages"}


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
    listed = re.findall(r"^\| `([a-z0-9:_]+)` \| ([^|`]+) \| ([A-Z]+) \| `(m/[^`]+)` \|", _README, re.MULTILINE)

    assert [(each.network, each.title, each.symbol, each.path(DerivationScheme.STANDARD)) for each in CHAINS.values()] == listed


def test_no_module_is_too_long() -> None:
    """Also of the tests: a longer one is about several things, and each of them has a name."""
    lengths = {name: len(path.read_text().splitlines()) for name, path in _SOURCES.items()}

    assert {name: length for name, length in lengths.items() if length > _MAX_MODULE_LINES} == {}
    assert {"wallets/custody.py", "tests/test_architecture.py"} < set(lengths)


def test_no_function_is_too_long() -> None:
    """The lines of its body count, without its docstring and signature."""
    lengths = {f"{name}:{line}": length for name, path in _SOURCES.items() for line, length in _functions(ast.parse(path.read_text()))}

    assert {place: length for place, length in lengths.items() if length > _MAX_FUNCTION_LINES} == {}
    assert len(lengths) > len(_SOURCES)


def test_every_suppressed_finding_has_its_reason() -> None:
    """Whoever silences a linter or the type checker on a line says why, on that line."""
    found = {f"{name}:{line}": comment for name, path in _SOURCES.items() for line, comment in _suppressions(path)}

    assert {place: comment for place, comment in found.items() if not _SUPPRESSION_WITH_REASON.fullmatch(comment)} == {}
    assert found


def _functions(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """Return for each function the line where it begins and the number of lines of its body."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1 if ast.get_docstring(node) is not None and len(node.body) > 1 else 0]
            yield node.lineno, (node.end_lineno or 0) - first.lineno + 1


def _suppressions(path: Path) -> Iterator[tuple[int, str]]:
    """Return the comments that silence a finding, with their lines."""
    with path.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.COMMENT and _SUPPRESSION.search(token.string):
                yield token.start[0], token.string
