"""Decide how many replicas there should be, where a cluster gives each a memory of its own (`serveConfigV2` names this policy)."""

from pathlib import Path
from typing import Any

from ray.serve.autoscaling_policy import replica_queue_length_autoscaling_policy
from ray.serve.config import AutoscalingContext

MEMORY_SHARE = "memory_share"
"""The metric that each replica reports: how much of its container's memory is in use, from 0 to 1."""

TARGET_MEMORY_SHARE = 0.8
"""What is more than this share, on average, is spread over more replicas."""

CGROUP = Path("/sys/fs/cgroup")


def by_requests_and_memory(context: AutoscalingContext) -> tuple[int | float, dict[str, Any]]:
    """Return how many replicas the ongoing requests ask for, or the memory in use if that asks for more.

    Serve applies what the configuration says of bounds, delays and factors to it.
    """
    wanted, state = replica_queue_length_autoscaling_policy(context)
    shares = (context.aggregated_metrics or {}).get(MEMORY_SHARE, {}).values()
    if not shares:
        return wanted, state
    return max(wanted, context.current_num_replicas * sum(shares) / len(shares) / TARGET_MEMORY_SHARE), state


def memory_share(cgroup: Path = CGROUP) -> float | None:
    """Return the share of the container's memory that is in use and cannot be taken back (cgroup v2); None where nothing limits it.

    As the kubelet counts it: without pages of files that were not used lately.
    """
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        current = int((cgroup / "memory.current").read_text())
        inactive = (cgroup / "memory.stat").read_text().partition("\ninactive_file ")[2].partition("\n")[0]
    except OSError:
        return None
    return None if limit == "max" else max(0, current - int(inactive or 0)) / int(limit)
