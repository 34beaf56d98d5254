"""Replicas are counted by requests and by memory."""

import dataclasses
from pathlib import Path

import pytest
from ray.serve._private.common import DeploymentID, ReplicaID
from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy

from deployments.autoscaling import MEMORY_SHARE, by_requests_and_memory, memory_share

_DEPLOYMENT = DeploymentID("WalletService", "wallets")
_MIB = 2**20


def _context(*, replicas: int, requests: float, shares: list[float]) -> AutoscalingContext:
    ids = [ReplicaID(str(number), _DEPLOYMENT) for number in range(len(shares))]
    return AutoscalingContext(
        deployment_id=_DEPLOYMENT,
        deployment_name="WalletService",
        app_name="wallets",
        current_num_replicas=replicas,
        target_num_replicas=replicas,
        running_replicas=ids,
        total_num_requests=requests,
        total_queued_requests=0,
        aggregated_metrics={MEMORY_SHARE: dict(zip(ids, shares, strict=True))} if shares else {},
        raw_metrics=None,
        capacity_adjusted_min_replicas=2,
        capacity_adjusted_max_replicas=10,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=None,
        config=AutoscalingConfig(min_replicas=2, max_replicas=10, target_ongoing_requests=20),
    )


@pytest.mark.parametrize(
    ("requests", "shares", "wanted"),
    [
        pytest.param(80, [0.2, 0.2], 4, id="requests alone"),
        pytest.param(80, [], 4, id="no limit of memory is known"),
        pytest.param(0, [0.9, 1.5], 3, id="memory alone"),
        pytest.param(80, [0.9, 0.9], 4, id="requests ask for more"),
        pytest.param(20, [0.4, 0.4], 1, id="both ask for fewer"),
        pytest.param(0, [0.8, 0.8], 2, id="at the target"),
    ],
)
def test_the_larger_of_both_is_wanted(requests: float, shares: list[float], wanted: int) -> None:
    """Twice the target of requests asks for twice the replicas, memory above 80 % of the limit for more in proportion."""
    count, _ = by_requests_and_memory(_context(replicas=2, requests=requests, shares=shares))

    assert count == pytest.approx(wanted)


def test_serve_finds_the_policy_by_its_name() -> None:
    """The name that manifests give is that of the function."""
    name = f"{by_requests_and_memory.__module__}:{by_requests_and_memory.__name__}"

    policy = AutoscalingPolicy(policy_function=name).get_policy()

    assert policy(_context(replicas=2, requests=80, shares=[]))[0] == 4
    assert name == "deployments.autoscaling:by_requests_and_memory"


@dataclasses.dataclass(frozen=True)
class _Cgroup:
    folder: Path

    def write(self, *, limit: str, current: int, inactive: int) -> None:
        (self.folder / "memory.max").write_text(f"{limit}\n")
        (self.folder / "memory.current").write_text(f"{current}\n")
        (self.folder / "memory.stat").write_text(f"anon 1\ninactive_file {inactive}\nactive_file 5\n")


@pytest.mark.parametrize(
    ("limit", "current", "inactive", "share"),
    [
        pytest.param(str(1024 * _MIB), 768 * _MIB, 256 * _MIB, 0.5, id="limited"),
        pytest.param(str(1024 * _MIB), 10, 20, 0.0, id="counted at another moment"),
        pytest.param("max", 768 * _MIB, 0, None, id="unlimited"),
    ],
)
def test_memory_that_can_be_taken_back_does_not_count(tmp_path: Path, limit: str, current: int, inactive: int, share: float | None) -> None:
    """The share is that of the working set, as the kubelet has it; without a limit there is none."""
    _Cgroup(tmp_path).write(limit=limit, current=current, inactive=inactive)

    assert memory_share(tmp_path) == share


def test_without_cgroups_nothing_is_said(tmp_path: Path) -> None:
    """Where the kernel tells nothing, requests alone decide."""
    assert memory_share(tmp_path) is None
