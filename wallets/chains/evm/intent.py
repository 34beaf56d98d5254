"""Say what an EVM transaction does."""

from dataclasses import replace
from typing import Protocol

from wallets.chains.contract_calls import read_call
from wallets.chains.contract_calls.meaning import NEW_CONTRACT, CallMeaning, fee_warnings, recipient_warnings, with_value
from wallets.chains.evm.address import EVM_ADDRESSES, checksummed
from wallets.chains.evm.payload import TYPE_NAMES, Authorization, EvmPayload
from wallets.hashes import sha256
from wallets.model import Intent, Transfer

_GAS_PER_BLOB = 2**17  # EIP-4844
_SHOWN_AUTHORIZATIONS = 10
_REPLAYABLE = "names no chain (before EIP-155): it can be replayed on every chain where the account has this nonce"


class Network(Protocol):
    """What an intent needs to know of its network."""

    @property
    def network(self) -> str:
        """Its name."""
        ...

    @property
    def has_data_fee(self) -> bool:
        """Whether it charges for publishing the data beside the gas."""
        ...

    @property
    def absurd_fee(self) -> int:
        """More wei than an ordinary transaction costs."""
        ...


def read_intent(chain: Network, payload: EvmPayload, digest: bytes) -> Intent:
    """Say what a transaction does, whoever sends it; `digest` is what is signed of it."""
    to = checksummed(payload.to) if payload.to else None
    meaning = _meaning(payload, to)
    max_fee = payload.gas_limit * payload.max_fee_per_gas + len(payload.blob_hashes) * _GAS_PER_BLOB * payload.max_fee_per_blob_gas
    details = {**_details(payload, digest), **meaning.details}
    if chain.has_data_fee:
        details["max_execution_fee"] = str(max_fee)
    return Intent(
        chain.network,
        "set_code" if payload.authorizations else meaning.kind,
        transfers=meaning.transfers,
        max_fee=None if chain.has_data_fee else max_fee,
        contract=to if payload.data else None,
        method=meaning.method,
        details=details,
        warnings=meaning.warnings + fee_warnings(payload.value, max_fee, chain.absurd_fee) + _warnings(payload),
    )


def delegation_warning(item: Authorization) -> str:
    """Say what an authorization hands over (EIP-7702)."""
    place = "every chain" if item.chain_id == 0 else f"chain {item.chain_id}"
    if not any(item.address):
        return f"takes its code from an account (its nonce {item.nonce}, on {place})"
    return f"hands an account (its nonce {item.nonce}, on {place}) over to the code of {checksummed(item.address)}"


def _meaning(payload: EvmPayload, to: str | None) -> CallMeaning:
    if to is None:
        details: dict[str, str | int] = {"data_bytes": len(payload.data), "value": str(payload.value)}
        odd = () if payload.data else ("neither a recipient nor code: an empty contract would be created",)
        sent = (Transfer(NEW_CONTRACT, payload.value),) if payload.value else ()
        return CallMeaning("contract_creation", transfers=sent, details=details, warnings=odd)
    if not payload.data:
        return CallMeaning("transfer", transfers=(Transfer(to, payload.value),), warnings=recipient_warnings(payload.to))
    call = with_value(read_call(payload.data, to, EVM_ADDRESSES), to, payload.value)
    return replace(call, warnings=call.warnings + recipient_warnings(payload.to)) if payload.value else call


def _details(payload: EvmPayload, digest: bytes) -> dict[str, str | int]:
    details: dict[str, str | int] = {"type": TYPE_NAMES[payload.type], "payload_hash": digest.hex()}
    if payload.chain_id is not None:
        details["chain_id"] = payload.chain_id
    details["nonce"] = payload.nonce
    details["gas_limit"] = payload.gas_limit
    if payload.max_priority_fee_per_gas is None:
        details["gas_price"] = str(payload.max_fee_per_gas)
    else:
        details["max_fee_per_gas"] = str(payload.max_fee_per_gas)
        details["max_priority_fee_per_gas"] = str(payload.max_priority_fee_per_gas)
    if payload.access_list_entries:
        details["access_list_entries"] = payload.access_list_entries
    if payload.blob_hashes:
        details["blobs"] = len(payload.blob_hashes)
        details["max_fee_per_blob_gas"] = str(payload.max_fee_per_blob_gas)
    if payload.sidecar:
        details["sidecar_hash"] = sha256(payload.sidecar).hex()
    if payload.authorizations:
        details["authorizations"] = len(payload.authorizations)
    return details


def _warnings(payload: EvmPayload) -> tuple[str, ...]:
    """Return what is odd beside what the call does and costs."""
    replay = () if payload.chain_id is not None else (_REPLAYABLE,)
    items = payload.authorizations
    if not items:
        return replay
    shown = tuple(delegation_warning(item) for item in items[:_SHOWN_AUTHORIZATIONS])
    more = (f"{len(items) - len(shown)} more authorizations",) if len(items) > len(shown) else ()
    return replay + shown + more
