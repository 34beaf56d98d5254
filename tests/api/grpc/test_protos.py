"""The protos are linted, what is made of them is fresh, and nothing in them breaks a client."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import grpc_tools
import pytest
from eth_account import Account as EthAccount

from api.grpc.server import GrpcServer
from api.proto.crypto_wallet.v1 import wallet_service_pb2 as v1
from tests.api.conftest import API_KEY
from tests.samples import EIP_155_EXAMPLE

ROOT = Path(__file__).parents[3]
PROTOS = ROOT / "api" / "proto"
OLD = ROOT / "tests" / "protos"
BUF = Path(sys.executable).with_name("buf")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool."""
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def protoc(*arguments: str | Path) -> None:
    """Run protoc."""
    include = Path(grpc_tools.__file__).parent / "_proto"
    result = run(sys.executable, "-m", "grpc_tools.protoc", f"-I{include}", *arguments)
    assert result.returncode == 0, result.stderr


def test_what_protoc_makes_is_fresh(tmp_path: Path) -> None:
    """`make proto` would change nothing."""
    sources = sorted(PROTOS.rglob("*.proto"))

    protoc(f"-I{PROTOS}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", *sources)

    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*_pb2.py*")}
    assert len(made) == 2 * len(sources)
    assert made == {path.relative_to(PROTOS): path.read_text() for path in PROTOS.rglob("*_pb2.py*")}


def test_the_protos_are_linted() -> None:
    """By buf's standard rules and those of comments; the names of 1.0.8 alone are excepted."""
    result = run(BUF, "lint", PROTOS)

    assert result.returncode == 0, result.stdout


def test_nothing_breaks_a_client() -> None:
    """Compared with what was released, nothing is renamed, renumbered or gone."""
    result = run(BUF, "breaking", PROTOS, "--against", OLD / "released.json")

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("line", "changed"), [("string unsigned_tx = 4;", "string unsigned_tx = 5;"), ("rpc GetAddress(", "rpc Address(")])
def test_what_would_break_a_client_is_found(tmp_path: Path, line: str, changed: str) -> None:
    """A field with another number and a method with another name are told."""
    protos = shutil.copytree(PROTOS, tmp_path / "proto")
    file = protos / "crypto_wallet" / "v1" / "wallet_service.proto"
    file.write_text(file.read_text().replace(line, changed))

    result = run(BUF, "breaking", protos, "--against", OLD / "released.json")

    assert result.returncode != 0
    assert "wallet_service.proto" in result.stdout


def test_version_1_is_the_table_of_1_0_8() -> None:
    """Its methods, messages, fields and numbers are those of the proto that is written from its documentation."""
    message_fields = {
        message.name: {(field.name, field.number, field.type, field.has_presence) for field in message.fields}
        for message in v1.DESCRIPTOR.message_types_by_name.values()
    }
    methods = {
        method.name: (method.input_type.name, method.output_type.name) for method in v1.DESCRIPTOR.services_by_name["WalletService"].methods
    }

    assert methods == {
        "CreateWallet": ("CreateWalletRequest", "WalletInfo"),
        "GetAddress": ("GetAddressRequest", "AddressResponse"),
        "SignTransaction": ("SignRequest", "SignResponse"),
    }
    assert message_fields == {
        "CreateWalletRequest": {("label", 1, 9, False), ("mnemonic_length", 2, 13, True)},
        "WalletInfo": {("id", 1, 9, False), ("label", 2, 9, False)},
        "GetAddressRequest": {("wallet_id", 1, 9, False), ("network", 2, 9, False), ("index", 3, 13, False)},
        "AddressResponse": {("address", 1, 9, False), ("network", 2, 9, False)},
        "SignRequest": {("wallet_id", 1, 9, False), ("network", 2, 9, False), ("index", 3, 13, False), ("unsigned_tx", 4, 9, False)},
        "SignResponse": {("signed_tx", 1, 9, False)},
    }


async def test_stubs_of_1_0_8_work_unchanged(server: tuple[GrpcServer, str], tmp_path: Path) -> None:
    """A client with stubs that were made of its own proto makes a wallet, gets an address, signs, and is refused by the codes it knows."""
    protoc(f"-I{OLD}", f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}", OLD / "of_1_0_8.proto")

    command = (sys.executable, OLD / "old_client.py", tmp_path, server[1], API_KEY, EIP_155_EXAMPLE)
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()

    answers = json.loads(output)
    assert process.returncode == 0
    assert (answers["label"], answers["network"]) == ("old", "eth")
    assert EthAccount.recover_transaction(answers["signed_tx"]) == answers["address"]
    assert [answers[name] for name in ("no key", "no network", "no wallet")] == ["UNAUTHENTICATED", "INVALID_ARGUMENT", "NOT_FOUND"]
