"""What is logged and counted tells everything but secrets."""

import io
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from api.access_log import AccessLog
from api.http import create_http_app
from api.middleware import UNMATCHED
from api.observability import VAULT_OPERATIONS, VAULT_STATUSES, Metrics, configure_logging, describe_exception
from api.redaction import REDACTED, looks_like_mnemonic, redact
from tests.api.conftest import API_KEY, BrokenEncryption, World, client_of
from tests.known_phrase import ANOTHER_PHRASE as PHRASE
from wallets.errors import AuditUnavailableError, MalformedTransactionError
from wallets.mnemonic import generate


@pytest.fixture
def log() -> Iterator[io.BytesIO]:
    """What is written to the log, from DEBUG on."""
    stream = io.BytesIO()
    configure_logging("debug", stream)
    yield stream
    structlog.reset_defaults()


def lines(log: io.BytesIO) -> list[dict[str, Any]]:
    """Parse each line of a log."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.mark.parametrize(
    "key", ["api_key", "X-Api-Key", "mnemonic", "passphrase", "token", "vault_token", "Authorization", "password", "private_key", "seed"]
)
def test_values_with_telling_names_are_redacted(key: str) -> None:
    """Whatever stands under the name of a secret does not reach the log, however deep."""
    event = redact(None, "info", {"event": "x", key: "value", "nested": {key: ["value"]}, "list": [{key: "value"}]})

    assert event == {"event": "x", key: REDACTED, "nested": {key: REDACTED}, "list": [{key: REDACTED}]}


def test_names_that_only_sound_alike_are_kept() -> None:
    """Ids, lengths and numbers are what a log is for."""
    event = {"event": "x", "api_key_id": "43415ee80d1bd677", "mnemonic_length": 12, "status": 200, "ok": True, "none": None, "ms": 1.5}

    assert redact(None, "info", dict(event)) == event


@pytest.mark.parametrize(
    "text",
    [
        PHRASE,
        PHRASE.upper(),
        f"could not read '{PHRASE}' as JSON",
        PHRASE.replace(" ", "\n"),
        PHRASE.replace(" ", '", "'),
        PHRASE.replace("sausage", "sausages"),
    ],
)
def test_phrases_are_redacted_wherever_they_stand(text: str) -> None:
    """A BIP-39 phrase is recognised in any text, also with a word misspelt."""
    event = redact(None, "info", {"event": "x", "error": text, "deep": [{"er": {"text": text}}]})

    assert event == {"event": "x", "error": REDACTED, "deep": [{"er": {"text": REDACTED}}]}


@given(st.sampled_from([12, 24]))
def test_every_phrase_is_recognised(words: int) -> None:
    """No phrase that we make passes."""
    assert looks_like_mnemonic(generate(words).reveal().decode())


@pytest.mark.parametrize(
    "text", ["", "the database is away", "a label has 1 to 100 printable characters and this one has none of them at all, sadly"]
)
def test_sentences_are_kept(text: str) -> None:
    """What people write is not taken for a phrase."""
    assert not looks_like_mnemonic(text)


def test_passwords_in_urls_are_redacted() -> None:
    """A URL keeps what tells where, and loses what lets in."""
    event = redact(None, "info", {"event": "x", "url": "connect to postgresql://wallets:hunter2@db:5432/w failed"})

    assert event["url"] == f"connect to postgresql://wallets:{REDACTED}@db:5432/w failed"


def test_objects_are_shown_as_text_and_depth_is_bounded() -> None:
    """An unknown object is written as its text; what is nested without end is cut off."""
    endless: dict[str, Any] = {}
    endless["again"] = endless

    event = redact(None, "info", {"event": "x", "path": Path("/a"), "endless": endless})

    assert event["path"] == "/a"
    assert REDACTED in json.dumps(event["endless"])


def test_an_exception_is_described_without_its_message() -> None:
    """The log has the types and the places, and not the text that a library made of what it was given."""
    try:
        try:
            int(PHRASE)
        except ValueError as error:
            raise RuntimeError(PHRASE) from error
    except RuntimeError as error:
        description = describe_exception(error)

    assert description["exception"] == "builtins.RuntimeError"
    assert description["caused_by"] == ["builtins.ValueError"]
    assert "test_an_exception_is_described" in str(description["stack"])
    assert "winner" not in str(description)


def test_a_cause_that_was_suppressed_is_not_described() -> None:
    """`from None` is kept to."""
    try:
        try:
            int("x")
        except ValueError:
            raise RuntimeError from None
    except RuntimeError as error:
        description = describe_exception(error)

    assert description["caused_by"] == []


async def test_one_line_a_request(world: World, log: io.BytesIO) -> None:
    """A request is one JSON line with its template, its wallet and who asked, and without its path."""
    world.access_log = AccessLog("debug", log, flush_seconds=0)
    async with client_of(create_http_app(world.edge())) as client:
        wallet_id = (await client.post("/api/v1/wallets", json={"label": "treasury"})).json()["id"]
        await client.get(f"/api/v1/wallets/{wallet_id}?page=1", headers={"X-Request-ID": "req-7"})

    created, refused = lines(log)
    assert created["event"] == refused["event"] == "request_completed"
    assert (created["method"], created["route"], created["status"], created["level"]) == ("POST", "/api/v1/wallets", 200, "info")
    assert (refused["route"], refused["status"], refused["problem"]) == ("/api/v1/wallets/{wallet_id}", 422, "unprocessable-request")
    assert (refused["wallet_id"], refused["request_id"]) == (wallet_id, "req-7")
    assert refused["duration_ms"] > 0
    assert "treasury" not in log.getvalue().decode()


async def test_probes_are_quiet(world: World, log: io.BytesIO) -> None:
    """What machines ask every few seconds is logged at DEBUG only."""
    world.access_log = AccessLog("debug", log, flush_seconds=0)
    async with client_of(create_http_app(world.edge())) as client:
        await client.get("/api/v1/health/live")
        await client.get("/metrics")

    assert [line["level"] for line in lines(log)] == ["debug", "debug"]


async def test_nothing_that_was_sent_is_logged(world: World, log: io.BytesIO) -> None:
    """Keys, phrases and paths do not reach the log, whether the request succeeds or not."""
    world.access_log = AccessLog("debug", log, flush_seconds=0)
    async with client_of(create_http_app(world.edge())) as client:
        await client.post("/api/v1/wallets/import", json={"label": "a", "mnemonic": PHRASE, "passphrase": "hunter2"})
        await client.post("/api/v1/wallets/import", json={"label": "a", "mnemonic": PHRASE + " winner"})
        await client.post("/api/v1/wallets/import", json={PHRASE: "hunter2"})
        await client.get(f"/api/v1/wallets/{PHRASE}")
        await client.get(f"/api/v1/addresses/{PHRASE}?hunter2={PHRASE}")
        await client.get(f"/{PHRASE}/hunter2")
        await client.get("/api/v1/wallets", headers={"X-Api-Key": "hunter2"})

    text = log.getvalue().decode()
    assert len(lines(log)) == 7
    assert all(secret not in text for secret in ("winner", "hunter2", API_KEY))


async def test_a_bug_is_logged_where_it_is(log: io.BytesIO) -> None:
    """The log of an internal error names the type and the place under the request's id."""
    world = World(encryption=BrokenEncryption())

    world.access_log = AccessLog("debug", log, flush_seconds=0)
    async with client_of(create_http_app(world.edge())) as client:
        answer = await client.post("/api/v1/wallets", json={"label": "a"})

    failed, completed = lines(log)
    assert (failed["event"], failed["level"], failed["exception"]) == ("request_failed", "error", "builtins.KeyError")
    assert failed["request_id"] == completed["request_id"] == answer.json()["request_id"]
    assert failed["stack"][-1].endswith(" encrypt")
    assert "winner" not in log.getvalue().decode()


def test_the_level_is_kept_to() -> None:
    """Below the level nothing is written."""
    stream = io.BytesIO()
    configure_logging("warning", stream)

    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")

    assert [line["event"] for line in lines(stream)] == ["loud"]


def samples(metrics: Metrics) -> dict[str, float]:
    """Return every sample by its name and labels."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_metric_of_the_contract_is_there() -> None:
    """The names are those that dashboards know."""
    metrics = Metrics()
    metrics.wallet_created()
    metrics.sign_ended("eth")
    metrics.sign_ended("eth", MalformedTransactionError("no"))
    metrics.sign_ended("eth", AuditUnavailableError("away"))
    metrics.sign_ended("no such network")
    metrics.observe_vault("decrypt", "ok", 0.02)
    metrics.observe_circuit("closed")
    metrics.observe_circuit("open")
    metrics.observe_cache(3, 1000)
    metrics.seeds_unlocked(5)
    metrics.ciphertext_refused()
    metrics.process_hardened(core_dumps="off", dumpable="no", memory="locked")
    metrics.replica_started({"process": 1.5, "opening": 0.2})
    metrics.request_ended("GET", "/api/v1/wallets", 200, 0.01)

    found = samples(metrics)

    assert found["wallets_created_total"] == 1
    assert found["sign_operations_total network=eth status=ok"] == 1
    assert found["sign_operations_total network=eth status=refused"] == 1
    assert found["sign_operations_total network=eth status=failed"] == 1
    assert found["sign_operations_total network=other status=ok"] == 1
    assert found["vault_operations_duration_seconds_count operation=decrypt status=ok"] == 1
    assert [found[f"vault_circuit_state state={state}"] for state in ("closed", "open", "half_open")] == [0, 1, 0]
    assert found["address_cache_size"] == 3
    assert found["address_cache_capacity"] == 1000
    assert found["keyring_unlocked_seeds"] == 5
    assert found["keyring_corrupt_ciphertexts_total"] == 1
    assert found["process_hardening core_dumps=off dumpable=no memory=locked"] == 1
    assert [found[f"replica_start_seconds stage={stage}"] for stage in ("process", "opening")] == [1.5, 0.2]
    assert found["http_requests_total method=GET route=/api/v1/wallets status=200"] == 1
    assert found["http_request_duration_seconds_count method=GET route=/api/v1/wallets"] == 1


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=20))
def test_labels_come_from_closed_sets(observed: list[tuple[str, str, str]]) -> None:
    """Whatever is observed, clients cannot make new series."""
    metrics = Metrics()
    for first, second, third in observed:
        metrics.observe_vault(first, second, 0.1)
        metrics.sign_ended(third)
        metrics.request_ended(first, UNMATCHED, 404, 0.1)

    rendered = metrics.render().decode()

    assert rendered.count("vault_operations_duration_seconds_count{") <= (len(VAULT_OPERATIONS) + 1) * (len(VAULT_STATUSES) + 1)
    assert rendered.count("sign_operations_total{") <= 3
    assert rendered.count("http_requests_total{") <= 8


def test_two_sets_of_metrics_do_not_meet() -> None:
    """Each set counts for itself, so that tests and applications in one process do not disturb each other."""
    one, two = Metrics(), Metrics()

    one.wallet_created()

    assert (samples(one)["wallets_created_total"], samples(two)["wallets_created_total"]) == (1, 0)


def test_a_shared_folder_forgets_the_gauges_of_the_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with files of a process that has ended, counters stay and gauges go."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "replaced by the metrics")
    metrics = Metrics(tmp_path)
    metrics.wallet_created()
    metrics.observe_cache(10, 1000)
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    for kind in ("gauge_livesum", "counter"):
        shutil.copy(tmp_path / f"{kind}_{os.getpid()}.db", tmp_path / f"{kind}_{ended.pid}.db")
    shutil.copy(tmp_path / f"gauge_livesum_{os.getpid()}.db", tmp_path / "gauge_livesum_1.db")

    found = samples(metrics)

    assert found["wallets_created_total"] == 2
    assert found["address_cache_size"] == 20  # ours, and that of process 1, which runs
    assert not (tmp_path / f"gauge_livesum_{ended.pid}.db").exists()


REPLICA = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from api.observability import Metrics

    metrics = Metrics(Path(sys.argv[1]))
    metrics.wallet_created()
    metrics.observe_cache(10, 1000)
    metrics.seeds_unlocked(7)
    metrics.seeds_unlocked(3)
    metrics.process_hardened(core_dumps="off", dumpable="no", memory="locked")
    metrics.replica_started({"opening": float(sys.argv[2])})
    metrics.observe_vault("decrypt", "ok", 0.02)
    print("counted", flush=True)
    sys.stdin.readline()
    sys.stdout.buffer.write(metrics.render())
    """
)


def test_one_process_answers_for_all_of_its_node(tmp_path: Path) -> None:
    """Counters of processes that share a folder add up, also those of one that has ended; its gauges do not; the last start counts."""
    directory = tmp_path / "metrics"
    processes = []
    for number in range(3):
        command = [sys.executable, "-c", REPLICA, str(directory), f"0.{number + 1}"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        processes.append(process)
    third, first, second = processes
    third.communicate("\n", timeout=30)

    answer, _ = first.communicate("\n", timeout=30)
    second.communicate("\n", timeout=30)

    assert "wallets_created_total 3.0" in answer
    assert "address_cache_size 20.0" in answer
    assert "address_cache_capacity 2000.0" in answer
    assert "keyring_unlocked_seeds 6.0" in answer
    pids = [process.pid for process in (first, second)]
    for pid in pids:
        assert f'process_hardening{{core_dumps="off",dumpable="no",memory="locked",pid="{pid}"}} 1.0' in answer
    assert answer.count("process_hardening{") == 2
    assert 'replica_start_seconds{stage="opening"} 0.3' in answer
    assert 'vault_operations_duration_seconds_count{operation="decrypt",status="ok"} 3.0' in answer
    assert directory.stat().st_mode & 0o777 == 0o700
