"""Any interleaving of requests that are sent again, or contradict each other, keeps the promises of keys and nonces.

Two replicas on one database, with the real edge, domain, PostgreSQL and Vault. A thousand runs with `make shared`; otherwise a few.
"""

import asyncio
import itertools
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from deployments.wiring import open_custody, open_edge
from serve_app.embedded import EmbeddedVault
from tests.deployments.replicas import client_of, settings_of
from tests.deployments.retries import UNLIMITED, unsigned, wallet_path
from tests.postgres_probes import query
from tests.servers import RunningServer

RUNS = int(os.environ.get("SHARED_RUNS", "20"))
STEPS = 25
ROWS = "SELECT details->>'tx_id' AS tx_id FROM audit_logs WHERE action = 'transaction:sign' AND status = 'ok' AND request_id LIKE $1"


@dataclass
class House:
    """Two replicas, and the loop that they run in."""

    runner: asyncio.Runner
    replicas: list[httpx.AsyncClient]
    path: str
    database_url: str
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)


@dataclass(frozen=True)
class Sent:
    """A request that was sent: its key, what it says, and the answer, once it is there."""

    key: int | None
    said: tuple[int, int, bool]
    answer: "asyncio.Task[httpx.Response]"


class Retries(RuleBasedStateMachine):
    """Requests are sent, some while others are under way, with few keys and few nonces."""

    house: ClassVar[House]

    def __init__(self) -> None:
        super().__init__()
        self._house = self.house
        # Keys, nonces and ids of requests are of this run alone.
        self._run = next(self.house.numbers)
        self._sent: list[Sent] = []

    @rule(
        key=st.sampled_from([None, 0, 1]),
        nonce=st.integers(0, 1),
        value=st.integers(1, 2),
        replaces=st.booleans(),
        replica=st.integers(0, 1),
    )
    def send(self, key: int | None, nonce: int, value: int, replica: int, *, replaces: bool) -> None:
        """Send a request, and wait for nothing."""
        headers = {"X-Request-ID": f"run-{self._run}-{len(self._sent)}"} | (
            {} if key is None else {"Idempotency-Key": f"{self._run}-{key}"}
        )
        body = unsigned(2 * self._run + nonce, value, replaces=replaces)
        call = self._house.replicas[replica].post(self._house.path, json=body, headers=headers)
        self._sent.append(Sent(key, (nonce, value, replaces), self._house.runner.get_loop().create_task(call)))

    @rule(turns=st.integers(1, 200))
    def go_on(self, turns: int) -> None:
        """Let what is under way come some steps further."""

        async def wait() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self._house.runner.run(wait())

    @rule()
    def finish(self) -> None:
        """Let all of it come to its end."""
        self._house.runner.run(self._finish())

    async def _finish(self) -> None:
        await asyncio.gather(*(sent.answer for sent in self._sent))

    @invariant()
    def one_key_is_one_answer(self) -> None:
        """Whoever got one with a key got the same as everybody else, and had asked for the same."""
        for key in (0, 1):
            done = [sent for sent in self._sent if sent.key == key and sent.answer.done() and sent.answer.result().status_code == 200]
            assert len({(sent.said, sent.answer.result().content) for sent in done}) <= 1

    def teardown(self) -> None:
        """See, when all is over, that each answer is of one row, and that two transactions have a nonce only if one is a replacement."""
        self.finish()
        rows = self._house.runner.run(query(self._house.database_url, ROWS, f"run-{self._run}-%"))
        answers = [sent.answer.result() for sent in self._sent]
        signed = [sent for sent, answer in zip(self._sent, answers, strict=True) if answer.status_code == 200]
        fresh = [sent for sent in signed if "Idempotency-Replayed" not in sent.answer.result().headers]

        assert {answer.status_code for answer in answers} <= {200, 409, 422}
        assert sorted(row["tx_id"] for row in rows) == sorted(sent.answer.result().json()["tx_id"] for sent in fresh)
        for nonce in (0, 1):
            plain = {sent.said[1] for sent in fresh if sent.said[0] == nonce and not sent.said[2]}
            replacing = {sent.said[1] for sent in fresh if sent.said[0] == nonce and sent.said[2]}
            assert len(plain) <= 1 or replacing


@pytest.mark.timeout(180 + 5 * RUNS)
def test_any_interleaving_keeps_what_was_promised(database_url: str, vault_server: RunningServer[EmbeddedVault]) -> None:
    """A key is carried out once, and a nonce signed once, unless it is replaced."""
    options = settings(max_examples=RUNS, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck))
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def opened() -> House:
            replicas = []
            for _ in range(2):
                edge = await stack.enter_async_context(open_edge(settings_of(database_url, vault_server.server, **UNLIMITED), open_custody))
                replicas.append(await stack.enter_async_context(client_of(edge)))
            return House(runner, replicas, f"{await wallet_path(replicas[0])}/sign", database_url)

        house = runner.run(opened())
        try:
            run_state_machine_as_test(type("RetriesHere", (Retries,), {"house": house}), settings=options)
        finally:
            runner.run(stack.aclose())
