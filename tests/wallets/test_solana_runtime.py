"""Solana's own runtime executes what only the chain can judge: tables that are on it, durable nonces, and signatures of several keys."""

import pytest
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount, derive_lookup_table_address
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    AdvanceNonceAccountParams,
    CreateAccountParams,
    InitializeNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_account,
    initialize_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from tests.wallets.solana_messages import SOL, SYSTEM, key_of, numbered

LAMPORTS = 10**7
NONCE_ACCOUNT_BYTES = 80
NONCE = slice(40, 72)
"""Where a nonce account keeps its nonce, behind its version, its state and its authority."""
LOOKUP_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")


class House:
    """A runtime with two funded accounts of ours."""

    def __init__(self) -> None:
        self.runtime = LiteSVM()
        self.us, self.other = (Keypair.from_seed(bytes([number]) * 32) for number in (1, 2))
        for pair in (self.us, self.other):
            self.runtime.airdrop(pair.pubkey(), 10**9)

    def signed(self, message: Message | MessageV0, *signers: Keypair) -> bytes:
        """Sign a message with our code, by each of these keys in turn."""
        raw = bytes(VersionedTransaction.populate(message, [Signature.default()] * message.header.num_required_signatures))
        for pair in signers:
            raw = SOL.decode(raw).sign(key_of(pair.secret())).raw
        return raw

    def send(self, raw: bytes) -> TransactionMetadata | FailedTransactionMetadata:
        """Have the runtime execute a signed transaction."""
        return self.runtime.send_transaction(VersionedTransaction.from_bytes(raw))

    def account(self, key: Pubkey) -> Account:
        """Return an account that is on chain."""
        account = self.runtime.get_account(key)
        assert account is not None
        return account


@pytest.fixture
def house() -> House:
    """Each test has its own."""
    return House()


def pays(sender: Keypair, target: Pubkey) -> Instruction:
    """Transfer lamports."""
    return transfer(TransferParams(from_pubkey=sender.pubkey(), to_pubkey=target, lamports=LAMPORTS))


def with_table(house: House, addresses: list[Pubkey]) -> Pubkey:
    """Put a lookup table on chain, made and filled by its program in a transaction that we signed, and return its address."""
    us = house.us.pubkey()
    house.runtime.warp_to_slot(10)
    slot = house.runtime.get_slot_hashes()[0][0]
    table, bump = derive_lookup_table_address(us, slot)
    accounts = [AccountMeta(table, is_signer=False, is_writable=True), AccountMeta(us, is_signer=True, is_writable=False)]
    accounts += [AccountMeta(us, is_signer=True, is_writable=True), AccountMeta(Pubkey.from_string(SYSTEM), False, False)]
    listed = len(addresses).to_bytes(8, "little") + b"".join(map(bytes, addresses))
    made = Instruction(LOOKUP_PROGRAM, (0).to_bytes(4, "little") + slot.to_bytes(8, "little") + bytes([bump]), accounts)
    filled = Instruction(LOOKUP_PROGRAM, (2).to_bytes(4, "little") + listed, accounts)
    message = Message.new_with_blockhash([made, filled], us, house.runtime.latest_blockhash())
    result = house.send(house.signed(message, house.us))
    assert isinstance(result, TransactionMetadata), result
    house.runtime.warp_to_slot(11)  # What is put into a table can be used from the next slot on.
    return table


def test_the_runtime_takes_an_address_from_a_table_that_is_on_chain(house: House) -> None:
    """The recipient stands in the table alone; the intent names its place there."""
    addresses = [Pubkey.from_string(numbered(61)), Pubkey.from_string(numbered(60))]
    target = addresses[1]
    table = AddressLookupTableAccount(with_table(house, addresses), addresses)
    message = MessageV0.try_compile(house.us.pubkey(), [pays(house.us, target)], [table], house.runtime.latest_blockhash())

    raw = house.signed(message, house.us)
    result = house.send(raw)

    assert isinstance(result, TransactionMetadata), result
    assert target not in message.account_keys
    assert house.runtime.get_balance(target) == LAMPORTS
    assert [(each.recipient, each.amount) for each in SOL.decode(raw).intent.transfers] == [(f"{table.key}[1]", LAMPORTS)]


def with_nonce(house: House) -> Hash:
    """Put a nonce account of ours on chain, made by a transaction that we signed, and return its nonce."""
    fresh = Keypair.from_seed(bytes([3]) * 32)
    lamports = house.runtime.minimum_balance_for_rent_exemption(NONCE_ACCOUNT_BYTES)
    made = create_account(
        CreateAccountParams(
            from_pubkey=house.us.pubkey(),
            to_pubkey=fresh.pubkey(),
            lamports=lamports,
            space=NONCE_ACCOUNT_BYTES,
            owner=Pubkey.from_string(SYSTEM),
        )
    )
    begun = initialize_nonce_account(InitializeNonceAccountParams(nonce_pubkey=fresh.pubkey(), authority=house.us.pubkey()))
    message = Message.new_with_blockhash([made, begun], house.us.pubkey(), house.runtime.latest_blockhash())
    assert isinstance(house.send(house.signed(message, house.us, fresh)), TransactionMetadata)
    return Hash(bytes(house.account(fresh.pubkey()).data)[NONCE])


@pytest.mark.parametrize("version", ["legacy", "v0"])
def test_the_runtime_executes_by_a_durable_nonce(house: House, version: str) -> None:
    """Long after its time, once: the nonce is another one afterwards, and the same bytes are refused."""
    nonce, account = with_nonce(house), Keypair.from_seed(bytes([3]) * 32).pubkey()
    target = Pubkey.from_string(numbered(60))
    advance = advance_nonce_account(AdvanceNonceAccountParams(nonce_pubkey=account, authorized_pubkey=house.us.pubkey()))
    instructions = [advance, pays(house.us, target)]
    message: Message | MessageV0 = (
        Message.new_with_blockhash(instructions, house.us.pubkey(), nonce)
        if version == "legacy"
        else MessageV0.try_compile(house.us.pubkey(), instructions, [], nonce)
    )
    raw = house.signed(message, house.us)
    house.runtime.warp_to_slot(1_000)
    house.runtime.expire_blockhash()

    first, second = house.send(raw), house.send(raw)

    assert isinstance(first, TransactionMetadata), first
    assert isinstance(second, FailedTransactionMetadata)
    assert house.runtime.get_balance(target) == LAMPORTS
    assert Hash(bytes(house.account(account).data)[NONCE]) != nonce
    assert SOL.decode(raw).intent.details["durable_nonce"] == str(nonce)


@pytest.mark.parametrize("is_first", [True, False], ids=["ours first", "ours second"])
def test_the_runtime_wants_both_signatures(house: House, is_first: bool) -> None:
    """One of them is ours, in its own slot, and the other one's is kept; alone it is not enough."""
    target = Pubkey.from_string(numbered(60))
    message = MessageV0.try_compile(
        house.us.pubkey(), [pays(house.us, target), pays(house.other, target)], [], house.runtime.latest_blockhash()
    )
    ours, theirs = (house.us, house.other) if is_first else (house.other, house.us)
    signatures = [Signature.default(), Signature.default()]
    signatures[message.account_keys.index(theirs.pubkey())] = theirs.sign_message(to_bytes_versioned(message))
    waiting = bytes(VersionedTransaction.populate(message, signatures))

    half = house.send(house.signed(message, ours))
    whole = SOL.decode(waiting).sign(key_of(ours.secret())).raw
    result = house.send(whole)

    assert isinstance(half, FailedTransactionMetadata)
    assert isinstance(result, TransactionMetadata), result
    assert house.runtime.get_balance(target) == 2 * LAMPORTS
    assert theirs.pubkey() in {Pubkey.from_string(each) for each in SOL.decode(waiting).signers}
