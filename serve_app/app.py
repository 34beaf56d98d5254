"""Build the Serve application: the import path that KubeRay and `serve deploy` name."""

import os
from collections.abc import Mapping

from ray import serve
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import LoggingConfig

from deployments.settings import ReplicaSettings, Settings, load
from deployments.wallet_service import WalletService

APPLICATION = "wallets"


def build_app(args: Mapping[str, str] | None = None) -> serve.Application:
    """Bind the inline topology: one ingress deployment, `WalletService`.

    Takes no arguments: what is passed through Serve's configuration is kept in Ray's control plane, where no secret may be. Replicas read
    `APP__*` from their own environment.
    """
    if args:
        msg = f"build_app takes no arguments, but got {', '.join(sorted(args))}; configure by APP__* variables"
        raise ValueError(msg)
    return bind(load())


def bind(settings: Settings, *, cores: int | None = None) -> serve.Application:
    """Bind the application with the replicas that `settings` ask for, on one machine no more than it has `cores`."""
    deployment = serve.deployment(
        name=WalletService.__name__,
        autoscaling_config=autoscaling(settings.replicas, cores),
        max_ongoing_requests=settings.replicas.max_ongoing_requests,
        max_queued_requests=settings.replicas.max_queued_requests,
        ray_actor_options={"num_cpus": 1},
        health_check_period_s=10,
        health_check_timeout_s=30,
        graceful_shutdown_wait_loop_s=1,
        graceful_shutdown_timeout_s=30,
        # Requests are logged by the edge, once and without payloads. At INFO, Serve would still make a record of each to throw it away.
        logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False, logs_dir=None),
    )
    return deployment(serve.ingress()(WalletService)).bind()


def autoscaling(replicas: ReplicaSettings, cores: int | None = None) -> AutoscalingConfig:
    """Scale up within seconds, and down by half of what is too many once that has been so for 300 s."""
    most = replicas.max if cores is None else max(replicas.min, min(replicas.max, cores))
    return AutoscalingConfig(
        min_replicas=replicas.min,
        initial_replicas=replicas.min,
        max_replicas=most,
        target_ongoing_requests=replicas.target_ongoing_requests,
        upscale_delay_s=5,
        downscale_delay_s=300,
        downscaling_factor=0.5,
    )


def cores() -> int:
    """Count the cores this process may run on."""
    return len(os.sched_getaffinity(0))
