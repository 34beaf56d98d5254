"""Log in to a real OpenBao in every way: by token, AppRole and Kubernetes, over TLS, in a namespace."""

import asyncio
import itertools
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest
from hvac.exceptions import Forbidden

from adapters.vault_client import VaultClient
from adapters.vault_login import AppRoleLogin, KubernetesLogin, Lease, TokenLogin
from adapters.vault_server import VaultServer
from tests.adapters.conftest import client_of, no_sleep
from tests.adapters.service_accounts import AUDIENCE, ServiceAccounts, reviewing
from tests.adapters.vault_logins import AppRole, works
from tests.open_vault import OpenVault
from wallets.errors import KeyEncryptionUnavailableError


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
