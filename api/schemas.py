"""Write down the bodies of the HTTP contract."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from wallets.derivation import MAX_INDEX

Index = Field(default=0, ge=0, le=MAX_INDEX, description="Account index, 0..2^31-1")


class _Body(BaseModel):
    # An unknown field is refused, so that a misspelt `passphrase` cannot silently make another wallet.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, strict=True)


class CreateWallet(_Body):
    """Make a wallet with a fresh mnemonic."""

    label: str = Field(min_length=1, max_length=100, examples=["hot wallet"])
    mnemonic_length: Literal[12, 24] = 12


class ImportWallet(_Body):
    """Make a wallet of a mnemonic that exists."""

    label: str = Field(min_length=1, max_length=100)
    mnemonic: SecretStr
    passphrase: SecretStr = SecretStr("")
    scheme: Literal["standard", "v1_0_8"] = "standard"


class Sign(_Body):
    """Sign a transaction: hex, `0x` optional."""

    network: str = Field(max_length=64, examples=["eth"])
    index: int = Index
    unsigned_tx: str


class WalletAnswer(BaseModel):
    """A wallet."""

    id: str
    label: str
    scheme: str
    created_at: str


class SignAnswer(BaseModel):
    """A signed transaction, and what it does."""

    model_config = ConfigDict(populate_by_name=True)

    signed_tx: str
    tx_id: str | None
    sender: str = Field(alias="from")
    signature: str
    network: str
    index: int
    intent: dict[str, object]
