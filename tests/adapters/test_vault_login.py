"""Log in to a real OpenBao in every way, and stay logged in."""

import asyncio
import itertools
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest
from hvac.exceptions import Forbidden

from adapters.vault import TransitKey, VaultTransit
from adapters.vault_client import VaultClient
from adapters.vault_login import AppRoleLogin, KubernetesLogin, Lease, TokenFileLogin, TokenLogin, VaultLogin
from adapters.vault_server import VaultServer
from serve_app.embedded import EmbeddedVault
from tests.adapters.bad_vault import ENCRYPTED, NO_CONTEXT, TOKEN, BadVault, serving
from tests.adapters.conftest import client_of, no_sleep
from tests.adapters.service_accounts import AUDIENCE, ServiceAccounts, reviewing
from tests.adapters.test_key_encryption_contract import PHRASE
from tests.open_vault import OpenVault
from tests.servers import RunningServer
from wallets.errors import KeyEncryptionUnavailableError
from wallets.secret import Mnemonic


class Counted:
    """A login that counts how often it is made."""

    def __init__(self, login: VaultLogin) -> None:
        self._login = login
        self.watched = login.watched
        self.made = 0

    def log_in(self, connect: Callable[[str], Any]) -> Lease:
        """See `VaultLogin.log_in`."""
        self.made += 1
        return self._login.log_in(connect)


class Sleeps:
    """A sleep that lasts until the test says so; `waits` are the seconds that were asked for."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._asked = asyncio.Event()
        self._over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        """Sleep."""
        self.waits.append(seconds)
        self._asked.set()
        await self._over.wait()
        self._over.clear()

    async def asleep(self) -> float:
        """Wait until somebody sleeps, and return for how long."""
        await self._asked.wait()
        self._asked.clear()
        return self.waits[-1]

    def wake(self) -> None:
        """End the sleep."""
        self._over.set()


class AppRole:
    """An AppRole of the open Vault that may use one key."""

    def __init__(self, vault: OpenVault, key: str, **options: Any) -> None:
        root = vault.root()
        if "approle/" not in root.sys.list_auth_methods()["data"]:
            root.sys.enable_auth_method("approle")
        self._root, self._name = root, f"role-{key}"
        policies = [vault.load_policy("service", key)]
        root.auth.approle.create_or_update_approle(self._name, token_policies=policies, token_no_default_policy=True, **options)
        self.role_id: str = root.auth.approle.read_role_id(self._name)["data"]["role_id"]

    def secret_id(self) -> str:
        """Make a new secret id."""
        return str(self._root.auth.approle.generate_secret_id(self._name)["data"]["secret_id"])


@pytest.fixture
def vault(open_vault: RunningServer[OpenVault]) -> OpenVault:
    """An OpenBao that may be administrated."""
    return open_vault.server


@pytest.fixture
def key(vault: OpenVault) -> str:
    """A derived key of the test's own."""
    return vault.make_key()


@pytest.fixture
def accounts(vault: OpenVault, key: str) -> Iterator[ServiceAccounts]:
    """A Kubernetes whose service account `wallets` may use the key."""
    with reviewing(ServiceAccounts()) as accounts:
        root, mount = vault.root(), f"kubernetes-{key}"
        root.sys.enable_auth_method("kubernetes", path=mount)
        configuration = {
            "kubernetes_host": accounts.address,
            "kubernetes_ca_cert": vault.ca_file.read_text(),
            "token_reviewer_jwt": "reviewer",
            "pem_keys": [accounts.public_key],
            "disable_local_ca_jwt": True,
        }
        root.write_data(f"auth/{mount}/config", data=configuration)
        root.auth.kubernetes.create_role(
            "wallets",
            bound_service_account_names=["wallets"],
            bound_service_account_namespaces=["production"],
            policies=[vault.load_policy("service", key)],
            audience=AUDIENCE,
            ttl="1h",
            mount_point=mount,
        )
        yield accounts


async def works(client: VaultClient, key: str) -> bool:
    """Tell whether a phrase comes back as it went."""
    transit = VaultTransit(client, TransitKey(key))
    ciphertext = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    return await transit.decrypt(ciphertext, associated_data=b"a") == Mnemonic(PHRASE)


async def test_by_token(vault: OpenVault, key: str) -> None:
    """One that somebody else has made."""
    async with client_of(vault.address, TokenLogin(vault.token("service", key))) as client:
        assert await works(client, key)


@pytest.mark.parametrize("in_file", [False, True])
async def test_by_approle(vault: OpenVault, key: str, tmp_path: Path, in_file: bool) -> None:
    """With a secret id that is given, or stands in a file."""
    role = AppRole(vault, key)
    secret_id: str | Path = role.secret_id()
    if in_file:
        (tmp_path / "secret-id").write_text(f"{secret_id}\n")
        secret_id = tmp_path / "secret-id"
    async with client_of(vault.address, AppRoleLogin(role.role_id, secret_id)) as client:
        assert await works(client, key)


async def test_by_kubernetes(vault: OpenVault, key: str, accounts: ServiceAccounts, tmp_path: Path) -> None:
    """With the JWT of the service account, which Vault has Kubernetes review."""
    (tmp_path / "jwt").write_text(accounts.jwt())
    login = KubernetesLogin("wallets", tmp_path / "jwt", mount=f"kubernetes-{key}")
    async with client_of(vault.address, login) as client:
        assert await works(client, key)

    assert accounts.reviews == 1


@pytest.mark.parametrize("fault", ["another account", "another signer", "deleted", "no jwt", "no file"])
async def test_kubernetes_refuses(vault: OpenVault, key: str, accounts: ServiceAccounts, tmp_path: Path, fault: str) -> None:
    """Who is not that service account, or is not any more."""
    jwt = accounts.jwt("another") if fault == "another account" else accounts.jwt()
    if fault == "another signer":
        jwt = ServiceAccounts().jwt()
    if fault != "no file":
        (tmp_path / "jwt").write_text("" if fault == "no jwt" else jwt)
    accounts.is_good = fault != "deleted"
    login = KubernetesLogin("wallets", tmp_path / "jwt", mount=f"kubernetes-{key}")
    async with client_of(vault.address, login) as client:
        with pytest.raises(KeyEncryptionUnavailableError):
            await works(client, key)


async def test_the_jwt_is_read_anew_at_each_login(vault: OpenVault, key: str, accounts: ServiceAccounts, tmp_path: Path) -> None:
    """Kubernetes replaces it; so what was good once would be over at the next login."""
    jwt = tmp_path / "jwt"
    jwt.write_text("over")
    login = KubernetesLogin("wallets", jwt, mount=f"kubernetes-{key}")
    async with client_of(vault.address, login) as client:
        client.session._clock = itertools.count(step=100.0).__next__
        with pytest.raises(KeyEncryptionUnavailableError):
            await works(client, key)
        jwt.write_text(accounts.jwt())

        assert await works(client, key)


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
    async with VaultClient(VaultServer(vault_server.server.address), TokenLogin(vault_server.server.token), sleep=sleeps):
        assert 86_300 < await sleeps.asleep() <= 86_400


async def test_over_tls_with_the_right_authority(vault: OpenVault, key: str) -> None:
    """The CA file vouches for Vault."""
    server = VaultServer(vault.tls_address, vault.ca_file)
    async with VaultClient(server, TokenLogin(vault.token("service", key))) as client:
        assert await works(client, key)


@pytest.mark.parametrize("authority", ["another", "the system's"])
async def test_over_tls_with_a_wrong_authority_nothing_is_sent(vault: OpenVault, key: str, tmp_path: Path, authority: str) -> None:
    """Not even the token."""
    OpenVault(tmp_path).prepare()
    server = VaultServer(vault.tls_address, tmp_path / "ca.pem" if authority == "another" else None)
    async with VaultClient(server, TokenLogin(vault.token("service", key)), sleep=no_sleep) as client:
        with pytest.raises(KeyEncryptionUnavailableError, match="away"):
            await works(client, key)

        assert client.session.token is None


async def test_no_redirect_leads_from_tls_to_plain_http() -> None:
    """Where anybody could read the phrase."""
    session = VaultServer("https://vault.internal").session(1)

    assert list(session.adapters) == ["https://"]


async def test_in_a_namespace(vault: OpenVault) -> None:
    """With its own engine, key and token; the same token is nobody outside of it."""
    namespace = f"team-{secrets.token_hex(4)}"
    vault.root().write_data(f"sys/namespaces/{namespace}", data={})
    key = vault.make_key(namespace=namespace)
    policies = [vault.load_policy("service", key, namespace)]
    token = vault.root(namespace).auth.token.create(policies=policies, no_default_policy=True)["auth"]["client_token"]
    async with VaultClient(VaultServer(vault.address, namespace=namespace), TokenLogin(token)) as client:
        inside = await works(client, key)
    async with client_of(vault.address, TokenLogin(token)) as client:
        with pytest.raises(KeyEncryptionUnavailableError):
            await works(client, key)

    assert inside


async def test_logging_in_sends_no_token_that_was_there_before(vault: OpenVault, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment's nor that of the user who started us."""
    monkeypatch.setenv("VAULT_TOKEN", vault.root_token)

    with pytest.raises(Forbidden):
        VaultServer(vault.address).client(VaultServer(vault.address).session(1), "", (1, 1)).auth.token.lookup_self()


async def test_threads_are_bounded(vault: OpenVault, key: str) -> None:
    """However many requests there are."""
    async with VaultClient(VaultServer(vault.address), TokenLogin(vault.token("service", key)), max_calls=3) as client:
        await asyncio.gather(*(works(client, key) for _ in range(30)))
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("vault_")]

    assert len(threads) <= 3


def test_a_token_does_not_print() -> None:
    """Neither of a lease nor of what holds it."""
    client = hvac.Client("http://127.0.0.1:1", token="s3cr3t")

    assert "s3cr3t" not in repr(Lease("s3cr3t", 1, is_renewable=True))
    assert "s3cr3t" not in repr(client)
