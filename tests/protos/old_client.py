"""Call the service as a client of 1.0.8 does, with stubs that were made of its proto: `python old_client.py STUBS TARGET KEY TRANSACTION`.

Prints what it was answered as JSON. A process of its own, because two files cannot define the same messages in one.
"""

import json
import sys
from importlib import import_module

import grpc


def main(stubs: str, target: str, key: str, transaction: str) -> None:
    """Make a wallet, ask for its address, sign, and be refused."""
    sys.path.insert(0, stubs)
    messages, services = import_module("of_1_0_8_pb2"), import_module("of_1_0_8_pb2_grpc")
    metadata = (("x-api-key", key),)
    with grpc.insecure_channel(target) as channel:
        stub = services.WalletServiceStub(channel)
        wallet = stub.CreateWallet(messages.CreateWalletRequest(label="old", mnemonic_length=24), metadata=metadata)
        place = {"wallet_id": wallet.id, "network": "eth", "index": 0}
        address = stub.GetAddress(messages.GetAddressRequest(**place), metadata=metadata)
        signed = stub.SignTransaction(messages.SignRequest(**place, unsigned_tx=transaction), metadata=metadata)
        answers = {"label": wallet.label, "address": address.address, "network": address.network, "signed_tx": signed.signed_tx}
        for name, request, shown in (
            ("no key", messages.GetAddressRequest(**place), ()),
            ("no network", messages.GetAddressRequest(**{**place, "network": "nowhere"}), metadata),
            ("no wallet", messages.GetAddressRequest(**{**place, "wallet_id": "00000000-0000-0000-0000-000000000000"}), metadata),
        ):
            try:
                stub.GetAddress(request, metadata=shown)
            except grpc.RpcError as error:
                answers[name] = error.code().name
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
