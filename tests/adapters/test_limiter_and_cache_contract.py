"""The contracts of both ports of address caches in `wallets.ports`, on every implementation."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest

from adapters.memory import LruAddressCache
from adapters.redis import RedisAddressCache, RedisConnections
from tests.fake_addresses import FakeAddressCache, FakeSharedAddressCache
from wallets.derivation import DerivationScheme
from wallets.model import Account, SealedAddress
from wallets.ports import AddressCache, SharedAddressCache


@pytest.fixture(params=[FakeAddressCache, LruAddressCache])
def cache(request: pytest.FixtureRequest) -> AddressCache:
    """An address cache of one process."""
    made: AddressCache = request.param()
    return made


@pytest.fixture(params=["fake", "redis"])
async def shared_cache(request: pytest.FixtureRequest) -> AsyncIterator[SharedAddressCache]:
    """An address cache of all replicas that is there."""
    if request.param == "fake":
        yield FakeSharedAddressCache()
        return
    async with RedisConnections(request.getfixturevalue("redis_server").server.url, longest_seconds=10) as connections:
        yield RedisAddressCache(connections)


async def test_an_address_is_remembered(cache: AddressCache) -> None:
    """For its account alone."""
    account = Account(uuid4(), "eth", 7)

    await cache.put(account, "0xabc")

    assert await cache.get(account) == "0xabc"
    assert await cache.get(replace(account, index=8)) is None
    assert await cache.get(replace(account, network="bsc")) is None
    assert await cache.get(replace(account, variant="other")) is None
    assert await cache.get(replace(account, wallet_id=uuid4())) is None


async def test_an_address_can_be_replaced(cache: AddressCache) -> None:
    """The last one counts."""
    account = Account(uuid4(), "eth", 7)
    await cache.put(account, "0xabc")

    await cache.put(account, "0xdef")

    assert await cache.get(account) == "0xdef"


@pytest.mark.parametrize(
    "address", [SealedAddress("0xabc", "blake2b:v1:x"), SealedAddress("0xabc"), SealedAddress("a b", "c"), SealedAddress("")]
)
async def test_a_sealed_address_is_remembered(shared_cache: SharedAddressCache, address: SealedAddress) -> None:
    """With its seal, for its account and scheme alone."""
    account, scheme = Account(uuid4(), "eth", 7), DerivationScheme.STANDARD

    await shared_cache.put(account, scheme, address)

    assert await shared_cache.get(account, scheme) == address
    assert await shared_cache.get(account, DerivationScheme.V1_0_8) is None
    for other in ({"index": 8}, {"network": "bsc"}, {"variant": "other"}, {"wallet_id": uuid4()}):
        assert await shared_cache.get(replace(account, **other), scheme) is None


async def test_a_sealed_address_can_be_replaced(shared_cache: SharedAddressCache) -> None:
    """The last one counts."""
    account, scheme = Account(uuid4(), "eth", 7), DerivationScheme.STANDARD
    await shared_cache.put(account, scheme, SealedAddress("0xabc", "a"))

    await shared_cache.put(account, scheme, SealedAddress("0xabc", "b"))

    assert await shared_cache.get(account, scheme) == SealedAddress("0xabc", "b")
