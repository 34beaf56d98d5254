"""The whole service at work and in trouble with a known phrase: afterwards nothing of it is anywhere but where it must be."""

import asyncio
import base64
import json
import os
import re
import secrets
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis
from mnemonic import Mnemonic as Bip39

from api.limits import MAX_BODY_BYTES
from serve_app.embedded import EmbeddedPostgres
from serve_app.samples import sample
from tests.postgres_probes import query
from tests.serve_app.leaks import (
    Place,
    Search,
    command_lines,
    database_dump,
    environments,
    files,
    memory,
    open_files,
    redis_values,
    texts,
)
from tests.serve_app.whole_service import Service, eventually, whole_service
from wallets.chains import CHAINS
from wallets.curves import Curve
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.encoding import base58
from wallets.mnemonic import generate, parse, to_seed

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SEES_PHRASES = ("ray::ServeReplica", "haproxy", "bao")
"""Processes through which a phrase passes by its nature; their memory is closed to others, not empty."""


class Known:
    """A wallet whose phrase, passphrase, seeds and keys the test knows."""

    def __init__(self) -> None:
        self.phrase = generate(12).reveal().decode()
        self.passphrase = f"pass-{secrets.token_hex(12)}"
        self.secrets: dict[str, bytes] = {
            "entropy": bytes(Bip39("english").to_entropy(self.phrase)),
            "passphrase": self.passphrase.encode(),
            "seed with passphrase": to_seed(parse(self.phrase, self.passphrase)).reveal(),
            "seed": to_seed(parse(self.phrase)).reveal(),
        }
        for scheme in DerivationScheme:
            for chain in CHAINS.values():
                for variant, index in product(("", *chain.variants[1:]), (0, 1)):
                    self._derive(scheme, chain.curve, chain.path(scheme, variant).format(index=index))
        self.search = Search(self.secrets, {"phrase": self.phrase})

    def _derive(self, scheme: DerivationScheme, curve: Curve, path: str) -> None:
        key = derive(to_seed(parse(self.phrase)), DerivationPath.parse(path), curve, scheme)
        name = f"{curve} key {path}" + (f" of {scheme}" if curve is Curve.ED25519 else "")
        self.secrets[name] = key.reveal()
        if curve is Curve.ED25519:
            self.secrets[f"{name} as Solana's wallets write it"] = base58(key.reveal() + key.public_key).encode()


@dataclass
class Evidence:
    """What was found where, by kind of place; `answers` are the bodies that clients got, `statuses` theirs."""

    known: Known
    answers: list[Place] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)
    searched: dict[str, int] = field(default_factory=dict)
    operational: list[str] = field(default_factory=list)
    in_replicas: list[str] = field(default_factory=list)
    planted: dict[str, list[str]] = field(default_factory=dict)
    core_limits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    replicas: list[dict[str, Any]] = field(default_factory=list)

    def take(self, answer: httpx.Response) -> httpx.Response:
        """Keep an answer, head and body."""
        self.answers.append((f"answer of {answer.request.method} {len(self.answers)}", str(answer.headers).encode() + answer.content))
        self.statuses.append(answer.status_code)
        return answer

    def look(self, kind: str, places: Iterator[Place]) -> None:
        """Search places of a kind, and remember how many bytes that were: nothing is easily found in nothing."""
        size = 0

        def counted() -> Iterator[Place]:
            nonlocal size
            for name, data in places:
                size += len(data)
                yield name, data

        self.found[kind] = self.known.search.found(counted())
        self.searched[kind] = size


@pytest.fixture(name="evidence", scope="module")
def _evidence() -> Iterator[Evidence]:
    """Use a service in every way, bring it into trouble, search it while it runs, end it, and search what it left."""
    evidence = Evidence(Known())
    with whole_service(APP__LOG__LEVEL="debug") as service:
        runtime = Path((service.folder / "runtime-folder").read_text())
        with service.client() as client:
            wallet_ids = _import(client, evidence)
            for wallet_id in wallet_ids:
                _sign_everywhere(client, evidence, wallet_id)
            _ask_wrongly(client, evidence, wallet_ids[0])
        _bring_into_trouble(service, evidence, wallet_ids[0])
        with service.client() as client:
            for wallet_id in wallet_ids:
                _sign_everywhere(client, evidence, wallet_id)
            for path in ("/metrics", "/api-docs/openapi.json", "/api/v1/health", "/api/v1/health/ready", "/api/v1/wallets"):
                evidence.take(client.get(path))
        _look_at_what_runs(service, evidence)
        _plant(service, evidence)
        service.note()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(60) == 0
        evidence.look("files that are left", _all_files(service.folder, runtime))
        evidence.operational += _operational(service).found(_logs(service.folder, runtime))
        yield evidence


def _import(client: httpx.Client, evidence: Evidence) -> list[str]:
    """Take over the phrase: under both schemes, and with its passphrase."""
    known = evidence.known
    bodies = [
        {"mnemonic": known.phrase},
        {"mnemonic": known.phrase, "scheme": "v1_0_8"},
        {"mnemonic": known.phrase.upper(), "passphrase": known.passphrase},
    ]
    answers = [evidence.take(client.post("/api/v1/wallets/import", json={"label": "known", **body})) for body in bodies]
    return [str(answer.raise_for_status().json()["id"]) for answer in answers]


def _sign_everywhere(client: httpx.Client, evidence: Evidence, wallet_id: str) -> None:
    path = f"/api/v1/wallets/{wallet_id}"
    for chain in CHAINS.values():
        answers = [evidence.take(client.get(f"{path}/address/{chain.network}?index={index}")) for index in (0, 1)]
        sender, recipient = (answer.raise_for_status().json()["address"] for answer in answers)
        body = {"network": chain.network, "index": 0, "unsigned_tx": sample(chain, sender, recipient).hex()}
        evidence.take(client.post(f"{path}/sign", json=body)).raise_for_status()


def _ask_wrongly(client: httpx.Client, evidence: Evidence, wallet_id: str) -> None:
    """Send the phrase, its parts and its keys wherever they do not belong, and transactions that cannot be signed."""
    phrase, words = evidence.known.phrase, evidence.known.phrase.split()
    key = next(value for name, value in evidence.known.secrets.items() if name.startswith("secp256k1 key")).hex()
    with_typo = " ".join([*words[:-1], "zzzzz"])
    turned = (" ".join([*words[n:], *words[:n]]) for n in range(1, 12))
    without_checksum = next(each for each in turned if not Bip39("english").check(each))
    imports = "/api/v1/wallets/import"
    sign = f"/api/v1/wallets/{wallet_id}/sign"
    json_head = {"Content-Type": "application/json"}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", imports, {"json": {"label": "typo", "mnemonic": with_typo}}),
        ("POST", imports, {"json": {"label": "turned", "mnemonic": without_checksum}}),
        ("POST", imports, {"json": {"label": "short", "mnemonic": " ".join(words[:11])}}),
        ("POST", imports, {"json": {"label": "a", "mnemonic": words}}),
        ("POST", imports, {"json": {"label": "a", "mnemonic": {"words": phrase}}}),
        ("POST", imports, {"json": {"label": "a", "mnemonic": phrase, "scheme": phrase}}),
        ("POST", imports, {"json": {"label": f"{phrase}\n{phrase}", "mnemonic": phrase}}),
        ("POST", imports, {"json": {"label": "a", "mnemonic": phrase, "passphrase": evidence.known.passphrase + "\0"}}),
        ("POST", imports, {"json": {"label": "a", phrase: phrase, "mnemonic": phrase}}),
        ("POST", imports, {"json": phrase}),
        ("POST", imports, {"content": f'{{"label": "a", "mnemonic": "{phrase}"', "headers": json_head}),
        ("POST", imports, {"content": f'{{"mnemonic": "{phrase}", "mnemonic": "{phrase}"}}', "headers": json_head}),
        ("POST", imports, {"content": phrase, "headers": {"Content-Type": "text/plain"}}),
        ("POST", imports, {"json": {"label": "a", "mnemonic": phrase * (MAX_BODY_BYTES // len(phrase) + 1)}}),
        ("POST", imports, {"json": {"label": "a", "mnemonic": phrase}, "headers": {"X-Api-Key": "not-the-key-of-this-service"}}),
        ("POST", imports, {"json": {"label": "a", "mnemonic": phrase}, "params": {"mnemonic": phrase}}),
        ("PUT", imports, {"json": {"label": "a", "mnemonic": phrase}}),
        ("POST", f"{imports}/{phrase}", {"json": {"label": "a"}}),
        ("GET", f"/api/v1/wallets/{phrase}", {}),
        ("GET", f"/api/v1/addresses/{phrase}", {}),
        ("GET", "/api/v1/wallets", {"headers": {"X-Request-ID": phrase, "X-Api-Key": phrase, "X-Forwarded-For": phrase}}),
        ("POST", sign, {"json": {"network": "eth", "index": 0, "unsigned_tx": phrase}}),
        ("POST", sign, {"json": {"network": "eth", "index": 0, "unsigned_tx": f"0x{key}"}}),
        ("POST", sign, {"json": {"network": "sol", "index": 0, "unsigned_tx": key * 2}}),
        ("POST", sign, {"json": {"network": "eth", "index": phrase, "unsigned_tx": key}}),
        ("POST", sign, {"json": {"network": "eth", "index": 0, "unsigned_tx": "zz"}}),
    ]
    for method, path, request in calls:
        answer = evidence.take(client.request(method, path, **request))
        assert 400 <= answer.status_code < 500, (method, path.replace(phrase, "<phrase>"), answer.status_code)


def _bring_into_trouble(service: Service, evidence: Evidence, wallet_id: str) -> None:
    """Have OpenBao hang and die while a phrase is on its way to it and back; then crash the replicas that hold the wallet unlocked."""
    service.run("lock")
    vault = service.named("bao")[0]
    vault.suspend()
    with service.client() as client:
        evidence.take(client.post("/api/v1/wallets/import", json={"label": "unlucky", "mnemonic": evidence.known.phrase}))
        vault.kill()
        evidence.take(client.get(f"/api/v1/wallets/{wallet_id}/address/ton?index=7"))
    eventually(lambda: service.has_another("bao", vault) and service.is_well())
    with service.client() as client:
        eventually(lambda: evidence.take(client.get(f"/api/v1/wallets/{wallet_id}/address/ton?index=8")).status_code == 200)
    crashed = _replicas(service)
    for replica in crashed:
        replica.send_signal(signal.SIGABRT)
    eventually(lambda: len(_replicas(service)) == 2 and not set(crashed) & set(_replicas(service)) and service.is_well())
    with service.client() as client:
        eventually(lambda: _answers(client, evidence, f"/api/v1/wallets/{wallet_id}/address/ton?index=9"))


def _answers(client: httpx.Client, evidence: Evidence, path: str) -> bool:
    """Tell whether a call succeeds: until HAProxy has left the crashed replicas out, one may yet be lost with them."""
    try:
        return evidence.take(client.get(path)).status_code == 200
    except httpx.TransportError:
        return False


def _replicas(service: Service) -> list[psutil.Process]:
    return service.named("ray::ServeReplica")


def _look_at_what_runs(service: Service, evidence: Evidence) -> None:
    eventually(lambda: service.run("status", "--json").returncode == 0)
    runtime = Path((service.folder / "runtime-folder").read_text())
    postgres = EmbeddedPostgres(service.folder / "postgres")
    service.note()
    everything = [psutil.Process(service.process.pid), *service.left()]
    evidence.look("answers", iter(evidence.answers))
    evidence.look("files", _all_files(service.folder, runtime))
    evidence.look("open files", open_files(everything))
    evidence.look("environments", environments(everything))
    evidence.look("command lines", command_lines(everything))
    evidence.look("Redis", redis_values((service.folder / "redis-url").read_text()))
    for database in ("wallets", "openbao"):
        evidence.look(f"database {database}", database_dump(postgres.url_of("postgres", database)))
    evidence.look("command line's output", (("output", service.run(*words).stdout.encode()) for words in (["status"], ["check-config"])))
    evidence.look("memory of GCS and of all others that never see a phrase", memory(_strangers(everything)))
    evidence.in_replicas = evidence.known.search.found(memory(_replicas(service))) if os.geteuid() == 0 else []
    evidence.operational = _operational(service).found([*command_lines(everything), *evidence.answers])
    evidence.core_limits = {f"{process.name()} ({process.pid})": _core_limit(process) for process in everything}
    evidence.replicas = json.loads(service.run("status", "--json").stdout)["replicas"]


def _core_limit(process: psutil.Process) -> tuple[str, ...]:
    """Return the soft and the hard limit (proc_pid_limits(5)), which are also shown of processes of another user."""
    found = re.search(r"^Max core file size +(\S+) +(\S+)", Path(f"/proc/{process.pid}/limits").read_text(), re.MULTILINE)
    assert found is not None
    return found.groups()


def _strangers(everything: Sequence[psutil.Process]) -> Iterator[psutil.Process]:
    """Return the processes that never see a phrase; of PostgreSQL's, which share their memory, the first."""
    postgres = [process.pid for process in everything if process.name() == "postgres"]
    for process in everything:
        if not process.name().startswith(tuple(name[:15] for name in SEES_PHRASES)) and process.ppid() not in postgres:
            yield process


def _all_files(folder: Path, runtime: Path) -> Iterator[Place]:
    yield from files(folder)
    yield from files(runtime)


def _logs(folder: Path, runtime: Path) -> Iterator[Place]:
    yield from files(folder / "logs")
    yield from files(runtime / "ray")


def _operational(service: Service) -> Search:
    """Look for what opens doors: none of it belongs into logs, command lines or answers."""
    names = ["api-key", "redis/password", "vault/service-token", "vault/operator-token", "vault/seal-key", "ray/ray-token"]
    names += [f"postgres/{role}-password" for role in ("postgres", "wallets", "openbao")]
    return texts({name: (service.folder / name).read_text().strip() for name in names})


def _plant(service: Service, evidence: Evidence) -> None:
    """Put another seed into a log, Redis and the database of this very service, and search as for the known one."""
    seed = secrets.token_bytes(64)
    search = Search({"seed": seed})
    (service.folder / "logs" / "planted.log").write_text(f'{{"event": "planted", "seed": "{seed.hex()}"}}\n')
    runtime = Path((service.folder / "runtime-folder").read_text())
    evidence.planted["log"] = search.found(_all_files(service.folder, runtime))
    url = (service.folder / "redis-url").read_text()
    with redis.Redis.from_url(url) as client:
        client.set("planted", base64.b64encode(seed))
        evidence.planted["Redis"] = search.found(redis_values(url))
    database = (service.folder / "database-url").read_text()
    asyncio.run(query(database, f"CREATE TABLE planted AS SELECT '{base58(seed)}' AS content"))
    evidence.planted["database"] = search.found(database_dump(database))


def test_the_service_was_used_and_brought_into_trouble(evidence: Evidence) -> None:
    """Answers of every kind came: what was done, refused, unknown, and what could not be done at the time."""
    assert {200, 400, 401, 404, 405, 413, 415, 422, 503} <= set(evidence.statuses)


def test_nothing_of_the_phrase_is_anywhere(evidence: Evidence) -> None:
    """Answers, files, databases, shared memory, environments, command lines and the memory of others are without phrase, seed and key."""
    assert {kind: hits for kind, hits in evidence.found.items() if hits} == {}
    assert len(evidence.found) == 11
    assert min(evidence.searched.values()) > 100
    assert evidence.searched["files"] > 10_000_000
    assert evidence.searched["open files"] > 10_000_000


@pytest.mark.parametrize(
    ("place", "name", "form"), [("log", "planted.log", "hex"), ("Redis", "Redis' b'planted'", "base64"), ("database", "dump", "base58")]
)
def test_a_planted_secret_would_have_been_found(evidence: Evidence, place: str, name: str, form: str) -> None:
    """The same search of the same service finds a seed that was written there, and there alone."""
    assert evidence.planted[place]
    assert all(name in each and ": seed as " in each and form in each for each in evidence.planted[place])


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody but root can read a replica's memory")
def test_the_secrets_are_those_of_the_service(evidence: Evidence) -> None:
    """The replicas, which hold the wallets unlocked, have in their memory what was found nowhere else."""
    assert any("ServeReplica" in each and ": seed as raw" in each for each in evidence.in_replicas)


def test_no_password_token_or_key_of_the_servers_is_shown(evidence: Evidence) -> None:
    """Logs, command lines, metrics and answers have none of those that the servers and the API are opened with."""
    assert evidence.operational == []


def test_no_process_dumps_core(evidence: Evidence) -> None:
    """Neither a replica, nor HAProxy and OpenBao, nor any other: the limit is 0 and cannot be raised; replicas are closed to debuggers."""
    assert {name: limit for name, limit in evidence.core_limits.items() if limit != ("0", "0")} == {}
    assert any(name.startswith("haproxy") for name in evidence.core_limits)
    assert any(name.startswith("bao") for name in evidence.core_limits)
    assert len(evidence.replicas) == 2
    for replica in evidence.replicas:
        assert (replica["hardening"]["core_dumps"], replica["hardening"]["dumpable"]) == ("off", "no")
