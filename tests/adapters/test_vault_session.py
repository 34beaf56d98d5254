"""Stay logged in: renewal, fresh logins, and not too many of them."""

import asyncio
import os
from pathlib import Path

import pytest

from adapters.vault import TransitKey, VaultTransit
from adapters.vault_client import VaultClient
from adapters.vault_login import AppRoleLogin, TokenFileLogin, TokenLogin
from adapters.vault_server import VaultServer
from serve_app.embedded import EmbeddedVault
from tests.adapters.bad_vault import ENCRYPTED, NO_CONTEXT, TOKEN, BadVault, serving
from tests.adapters.conftest import client_of
from tests.adapters.test_key_encryption_contract import PHRASE
from tests.adapters.vault_logins import AppRole, Counted, Sleeps, works
from tests.open_vault import OpenVault
from tests.servers import RunningServer
from wallets.errors import KeyEncryptionUnavailableError
from wallets.secret import Mnemonic


async def test_a_revoked_token_is_followed_by_a_fresh_login(vault: OpenVault, key: str) -> None:
    """In the same request, which does not notice; however many requests there are, one login."""
    role = AppRole(vault, key)
    login = Counted(AppRoleLogin(role.role_id, role.secret_id()))
    async with client_of(vault.address, login) as client:
        await works(client, key)
        assert client.session.token is not None
        vault.root().auth.token.revoke(client.session.token)

        answers = await asyncio.gather(*(works(client, key) for _ in range(20)))

    assert all(answers)
    assert login.made == 2


async def test_a_role_without_rights_does_not_storm_vault(vault: OpenVault, key: str) -> None:
    """Fresh logins become rarer while they are of no use; when the rights come back, so does the service."""
    role, other = AppRole(vault, key), vault.make_key()
    login = Counted(AppRoleLogin(role.role_id, role.secret_id()))
    now = 0.0
    async with client_of(vault.address, login) as client:
        client.session._clock = lambda: now
        for _ in range(100):
            with pytest.raises(KeyEncryptionUnavailableError, match="refuses"):
                await works(client, other)
            now += 0.1
        made = login.made
        vault.root().sys.create_or_update_policy(f"service-{key}", _policy_of(vault, other))

        assert await works(client, other)

    assert made <= 6


def _policy_of(vault: OpenVault, key: str) -> str:
    name = vault.load_policy("service", key)
    return str(vault.root().sys.read_policy(name)["data"]["rules"])


async def test_refused_logins_become_rare() -> None:
    """A secret id that is not good any more is not tried at every request."""
    now = 0.0
    with serving(BadVault((400, {"errors": ["invalid role or secret ID"]}))) as vault:
        async with client_of(vault.address, AppRoleLogin("r", "s")) as client:
            client.session._clock = lambda: now
            for _ in range(600):
                with pytest.raises(KeyEncryptionUnavailableError, match="refuses"):
                    await works(client, "k")
                now += 1

    assert 10 <= len(vault.paths) <= 20


async def test_logins_that_fail_for_the_network_are_tried_again_at_once() -> None:
    """They are as transient as any call."""
    login = {"auth": {"client_token": "t", "lease_duration": 0, "renewable": False}}
    with serving(BadVault((503, {}), (200, "<html>"), (200, login), NO_CONTEXT, ENCRYPTED)) as vault:
        async with client_of(vault.address, AppRoleLogin("r", "s")) as client:
            ciphertext = await VaultTransit(client, TransitKey()).encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert ciphertext == "vault:v1:AAAA"
    assert vault.paths[:3] == ["/v1/auth/approle/login"] * 3


async def test_a_token_file_that_changes_is_taken_up_at_once_when_the_old_token_ends(vault: OpenVault, key: str, tmp_path: Path) -> None:
    """As a Vault Agent writes it."""
    file = tmp_path / "token"
    file.write_text(vault.token("service", key))
    async with client_of(vault.address, TokenFileLogin(file)) as client:
        await works(client, key)
        vault.root().auth.token.revoke(file.read_text())
        file.write_text(vault.token("service", key))

        assert await works(client, key)
        assert client.session.token == file.read_text()


async def test_a_token_file_that_changes_is_taken_up_also_while_the_old_token_is_good(vault: OpenVault, key: str, tmp_path: Path) -> None:
    """It is looked at every few seconds; replaced by renaming, or written over."""
    file, sleeps = tmp_path / "token", Sleeps()
    file.write_text(vault.token("service", key))
    async with VaultClient(VaultServer(vault.address), TokenFileLogin(file), sleep=sleeps) as client:
        seconds = await sleeps.asleep()
        unchanged = client.session.token
        second = vault.token("service", key)
        (tmp_path / "new").write_text(second)
        (tmp_path / "new").replace(file)
        sleeps.wake()
        await sleeps.asleep()
        changed = client.session.token
        third = vault.token("service", key)
        file.write_text(third)
        os.utime(file, (0, 0))  # a clock that is coarse must not hide it from the test
        sleeps.wake()
        await sleeps.asleep()

        assert seconds == 5
        assert unchanged not in {changed, client.session.token}
        assert (changed, client.session.token) == (second, third)


async def test_a_login_is_renewed_when_two_thirds_are_over(vault: OpenVault, key: str) -> None:
    """The token stays the same, and lives on."""
    role, sleeps = AppRole(vault, key, token_ttl="60s", token_max_ttl="10m"), Sleeps()
    login = Counted(AppRoleLogin(role.role_id, role.secret_id()))
    async with VaultClient(VaultServer(vault.address), login, sleep=sleeps) as client:
        first = await sleeps.asleep()
        token = client.session.token
        sleeps.wake()
        second = await sleeps.asleep()

        assert client.session.token == token
        assert 39 < first <= 40
        assert 39 < second <= 40
        assert vault.root().auth.token.lookup(token)["data"]["ttl"] > 55
    assert login.made == 1


async def test_a_login_whose_renewal_fails_is_replaced(vault: OpenVault, key: str) -> None:
    """Also when nobody asks for anything."""
    role, sleeps = AppRole(vault, key, token_ttl="60s"), Sleeps()
    login = Counted(AppRoleLogin(role.role_id, role.secret_id()))
    async with VaultClient(VaultServer(vault.address), login, sleep=sleeps) as client:
        await sleeps.asleep()
        revoked = client.session.token
        vault.root().auth.token.revoke(revoked)
        sleeps.wake()
        await sleeps.asleep()

        assert client.session.token != revoked
        assert await works(client, key)
    assert login.made == 2


async def test_a_login_that_can_be_renewed_no_further_is_replaced(vault: OpenVault, key: str) -> None:
    """Vault shortens the last renewals: at the end of the longest time that a token may have."""
    role, sleeps = AppRole(vault, key, token_ttl="60s", token_max_ttl="60s"), Sleeps()
    login = Counted(AppRoleLogin(role.role_id, role.secret_id()))
    async with VaultClient(VaultServer(vault.address), login, sleep=sleeps) as client:
        await sleeps.asleep()
        session = client.session
        assert session._current is not None
        # Renewed after two thirds it would get 20 s; the test does not wait for them.
        object.__setattr__(session._current.lease, "seconds", 130.0)
        sleeps.wake()
        await sleeps.asleep()

        assert await works(client, key)
    assert login.made == 2


async def test_a_login_that_cannot_be_kept_is_tried_again_later() -> None:
    """Half a minute after a failure."""
    sleeps = Sleeps()
    alive = (200, {"data": {"ttl": 9, "renewable": True}})
    renewed = (200, {"auth": {"lease_duration": 9, "renewable": True}})
    with serving(BadVault(alive, renewed, (503, {}), renewed)) as vault:
        async with VaultClient(VaultServer(vault.address), TokenLogin("x"), sleep=sleeps):
            waits = []
            for _ in range(4):
                waits.append(round(await sleeps.asleep()))
                sleeps.wake()

    assert waits[:3] == [6, 6, 30]
    assert vault.paths[:3] == ["/v1/auth/token/lookup-self", "/v1/auth/token/renew-self", "/v1/auth/token/renew-self"]


async def test_a_token_that_does_not_end_is_left_alone() -> None:
    """Such as a root token in development."""
    sleeps = Sleeps()
    with serving(BadVault(TOKEN)) as vault:
        async with VaultClient(VaultServer(vault.address), TokenLogin("x"), sleep=sleeps):
            first = await sleeps.asleep()
            sleeps.wake()
            await sleeps.asleep()

    assert first > 86_000
    assert vault.paths == ["/v1/auth/token/lookup-self"]


async def test_a_token_of_ten_years_is_renewed_daily(vault_server: RunningServer[EmbeddedVault]) -> None:
    """The embedded Vault's token outlives any pause of the service, and is renewed all the same."""
    sleeps = Sleeps()
    vault = vault_server.server
    async with VaultClient(VaultServer(vault.address, vault.ca_file), TokenLogin(vault.token), sleep=sleeps):
        assert 86_300 < await sleeps.asleep() <= 86_400
