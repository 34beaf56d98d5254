"""Answer the RPCs of both versions of the contract: each reads, calls the custody as HTTP's routes do, and writes."""

from google.protobuf.descriptor import ServiceDescriptor

from api import render
from api.cursors import position_of
from api.grpc import replies, requests
from api.proto.crypto_wallet.v1 import wallet_service_pb2 as v1
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from api.routes import WalletRoutes
from api.schemas import DEFAULT_COUNT, MAX_BATCH
from wallets import signing
from wallets.model import Caller, MessageRequest, SigningRequest, TypedMessage

VERSION_1: ServiceDescriptor = v1.DESCRIPTOR.services_by_name["WalletService"]
VERSION_2: ServiceDescriptor = v2.DESCRIPTOR.services_by_name["WalletService"]


class Version1:
    """`crypto_wallet.v1.WalletService`."""

    def __init__(self, routes: WalletRoutes) -> None:
        self._routes = routes

    async def create_wallet(self, request: v1.CreateWalletRequest, caller: Caller) -> v1.WalletInfo:
        """Make a wallet."""
        wallet = await self._routes.created(requests.new_wallet(request), caller)
        return v1.WalletInfo(id=str(wallet.id), label=wallet.label)

    async def get_address(self, request: v1.GetAddressRequest, caller: Caller) -> v1.AddressResponse:
        """Return an account's address."""
        account = requests.account_of_version_1(request)
        found = await self._routes.custody.address(account, caller)
        return v1.AddressResponse(address=found.text, network=found.account.network)

    async def sign_transaction(self, request: v1.SignRequest, caller: Caller) -> v1.SignResponse:
        """Sign a transaction; what others have yet to sign of one is a PSBT, and stands in its place."""
        signing_request = SigningRequest(requests.account_of_version_1(request), request.unsigned_tx, caller)
        content = render.signing_result(await self._routes.signed_result(signing_request))
        return v1.SignResponse(signed_tx=content.get("signed_tx") or content["psbt"])


class Version2:
    """`crypto_wallet.v2.WalletService`, without its stream."""

    def __init__(self, routes: WalletRoutes) -> None:
        self._routes = routes
        self._custody = routes.custody

    async def create_wallet(self, request: v2.CreateWalletRequest, caller: Caller) -> v2.CreateWalletResponse:
        """Make a wallet."""
        return v2.CreateWalletResponse(wallet=replies.wallet(await self._routes.created(requests.new_wallet(request), caller)))

    async def import_wallet(self, request: v2.ImportWalletRequest, caller: Caller) -> v2.ImportWalletResponse:
        """Take over a wallet. The message, which shows its phrase to whoever prints it, forgets it first."""
        body = requests.known_wallet(request)
        return v2.ImportWalletResponse(wallet=replies.wallet(await self._routes.imported(body, caller)))

    async def get_wallet(self, request: v2.GetWalletRequest, _caller: Caller) -> v2.GetWalletResponse:
        """Return one wallet."""
        return v2.GetWalletResponse(wallet=replies.wallet(await self._custody.wallet(requests.wallet_id(request.wallet_id))))

    async def list_wallets(self, request: v2.ListWalletsRequest, _caller: Caller) -> v2.ListWalletsResponse:
        """List wallets by page or cursor."""
        wanted = requests.listing(request)
        if wanted.cursor is None:
            return replies.page(await self._custody.list_wallets(wanted.page, wanted.per_page))
        return replies.stretch(await self._custody.list_older_wallets(position_of(wanted.cursor), wanted.per_page), wanted.per_page)

    async def get_address(self, request: v2.GetAddressRequest, caller: Caller) -> v2.GetAddressResponse:
        """Return an account's address."""
        return replies.address(await self._custody.address(requests.account(request.account, "account"), caller))

    async def get_address_range(self, request: v2.GetAddressRangeRequest, caller: Caller) -> v2.GetAddressRangeResponse:
        """Return the addresses of a range of accounts."""
        first, count = requests.account(request.first, "first"), requests.count(request, DEFAULT_COUNT)
        return replies.addresses(await self._custody.address_range(first, count, caller))

    async def find_address(self, request: v2.FindAddressRequest, caller: Caller) -> v2.FindAddressResponse:
        """Return the accounts that have an address."""
        accounts = await self._custody.accounts(requests.address(request.address), caller)
        return v2.FindAddressResponse(address=request.address, accounts=map(replies.account, accounts))

    async def sign_transaction(self, request: v2.SignTransactionRequest, caller: Caller) -> v2.SignTransactionResponse:
        """Sign a transaction."""
        account, text = requests.account(request.account, "account"), requests.transaction(request.transaction)
        result = await self._routes.signed_result(SigningRequest(account, text, caller, request.replace))
        return v2.SignTransactionResponse(signed=replies.signed(result))

    async def sign_message(self, request: v2.SignMessageRequest, caller: Caller) -> v2.SignMessageResponse:
        """Sign a text, or bytes."""
        wanted = MessageRequest(requests.account(request.account, "account"), requests.text_or_bytes(request), caller)
        return v2.SignMessageResponse(signed=replies.signed_message(await self._routes.signed_message(wanted)))

    async def sign_typed_data(self, request: v2.SignTypedDataRequest, caller: Caller) -> v2.SignTypedDataResponse:
        """Sign fields with types."""
        account, message = requests.account(request.account, "account"), TypedMessage(requests.typed_data(request.typed_data))
        result = await self._routes.signed_message(MessageRequest(account, message, caller))
        return v2.SignTypedDataResponse(signed=replies.signed_message(result))

    async def inspect_transaction(self, request: v2.InspectTransactionRequest, _caller: Caller) -> v2.InspectTransactionResponse:
        """Say what a transaction does."""
        network, variant = requests.place(request.network, request.variant)
        text = requests.transaction(request.transaction)
        return v2.InspectTransactionResponse(intent=replies.intent(signing.inspect(network, text, variant)))

    async def lock_keyring(self, _request: v2.LockKeyringRequest, caller: Caller) -> v2.LockKeyringResponse:
        """Forget every unlocked seed."""
        return replies.lock(await self._custody.lock(caller))


def range_cost(request: v2.GetAddressRangeRequest) -> int:
    """Return how many addresses are asked for; 1 for what is no range."""
    count = request.count if request.HasField("count") else DEFAULT_COUNT
    return count if 1 <= count <= MAX_BATCH else 1
