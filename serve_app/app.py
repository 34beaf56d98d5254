"""Build the Serve application: the import path that KubeRay and `serve deploy` name."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ray import serve
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import LoggingConfig

from deployments.gateway import Gateway
from deployments.ingress import Ingress
from deployments.requirements import without_custody
from deployments.setting_types import Topology
from deployments.settings import ReplicaSettings, Settings, SignerSettings, load
from deployments.signer import Signer
from deployments.wallet_service import WalletService

APPLICATION = "wallets"

MAX_ONGOING_CALLS = 64
"""Calls of gateways that a signer works on at once, each of many requests; more wait in the gateways."""

_OF_EVERY: Mapping[str, Any] = MappingProxyType(
    {
        # By this Serve notices a replica that has died; to ask one costs it 40 us. One that hangs is replaced after three timeouts.
        "health_check_period_s": 2,
        "health_check_timeout_s": 10,
        "graceful_shutdown_wait_loop_s": 1,
        "graceful_shutdown_timeout_s": 30,
        # Requests are logged by the edge, once and without payloads. At INFO, Serve would still make a record of each to throw it away.
        "logging_config": LoggingConfig(log_level="WARNING", enable_access_log=False, logs_dir=None),
    }
)


def build_app(args: Mapping[str, str] | None = None) -> serve.Application:
    """Bind the topology that `APP__TOPOLOGY` names.

    Takes no arguments: what is passed through Serve's configuration is kept in Ray's control plane, where no secret may be. Replicas read
    `APP__*` from their own environment.
    """
    if args:
        msg = f"build_app takes no arguments, but got {', '.join(sorted(args))}; configure by APP__* variables"
        raise ValueError(msg)
    return bind(load(without_custody(os.environ)))


def bind(settings: Settings, *, cores: int | None = None) -> serve.Application:
    """Bind the ingress of the topology with the replicas that `settings` ask for, on one machine no more than it has `cores`.

    Inline that is `WalletService`, isolated a `Gateway` with `Signer` behind it.
    """
    if settings.topology is Topology.INLINE:
        return _ingress(WalletService, settings.replicas, cores).bind()
    return _ingress(Gateway, settings.replicas, cores).bind(_signer(settings.signers, cores).bind())


def replicas_at_least(settings: Settings) -> int:
    """Count the replicas that always run, each on a core."""
    return settings.replicas.min + (settings.signers.min if settings.topology is Topology.ISOLATED else 0)


def autoscaling(least: int, most: int, target: float, cores: int | None = None) -> AutoscalingConfig:
    """Scale up within seconds, and down by half of what is too many once that has been so for 300 s."""
    return AutoscalingConfig(
        min_replicas=least,
        initial_replicas=least,
        max_replicas=most if cores is None else max(least, min(most, cores)),
        target_ongoing_requests=target,
        upscale_delay_s=5,
        downscale_delay_s=300,
        downscaling_factor=0.5,
    )


def cores() -> int:
    """Count the cores this process may run on."""
    return len(os.sched_getaffinity(0))


def _ingress(kind: type[Ingress], replicas: ReplicaSettings, cores: int | None) -> serve.Deployment:
    return serve.deployment(
        name=kind.__name__,
        autoscaling_config=autoscaling(replicas.min, replicas.max, replicas.target_ongoing_requests, cores),
        max_ongoing_requests=replicas.max_ongoing_requests,
        max_queued_requests=replicas.max_queued_requests,
        ray_actor_options=_place(replicas.resource),
        **_OF_EVERY,
    )(serve.ingress()(kind))


def _signer(signers: SignerSettings, cores: int | None) -> serve.Deployment:
    return serve.deployment(
        name=Signer.__name__,
        autoscaling_config=autoscaling(signers.min, signers.max, signers.target_ongoing_calls, cores),
        max_ongoing_requests=MAX_ONGOING_CALLS,
        ray_actor_options=_place(signers.resource),
        **_OF_EVERY,
    )(Signer)


def _place(resource: str) -> dict[str, Any]:
    """Give a replica a core, and of the custom resource that marks its nodes as little as Ray can count."""
    return {"num_cpus": 1, "resources": {resource: 0.0001}} if resource else {"num_cpus": 1}
