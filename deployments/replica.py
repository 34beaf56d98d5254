"""Be a replica to Ray Serve: told to be well, asked how full its memory is, and ended."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

import structlog

from api.observability import Metrics
from deployments.autoscaling import MEMORY_SHARE, memory_share
from deployments.hardening import harden
from deployments.serve_corrections import close_handle_port
from deployments.settings import Settings, forget_secrets, load
from deployments.start_stages import StartStages, keep_what_was_started


class HardenedReplica:
    """What every deployment of ours is to Serve. Seeds or phrases are in each, so the process is hardened."""

    async def __init__(self, *bound: Any) -> None:  # type: ignore[misc]  # mypy knows no constructor that is awaited; Serve awaits it
        """Harden this process, and open no port for calls of other deployments, before it has anything to lose; then open the rest.

        Serve gives what the deployment was bound with, and opens the replica's port afterwards.

        Raises:
            ConfigurationError: The settings cannot be right.
            SchemaMismatchError: The database's schema is too old or too new for this version.
        """
        self._stages = StartStages()
        self._stages.ended("process")
        self._hardening = asdict(harden())
        close_handle_port()
        self._stages.ended("hardening")
        self._resources = AsyncExitStack()
        await self.open(*bound)
        keep_what_was_started()

    async def open(self, *bound: Any) -> None:
        """Read the settings, and open what requests are answered with."""
        raise NotImplementedError

    def read_settings(self, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings, and forget the secrets among this process's own environment.

        Raises:
            ConfigurationError: The settings cannot be right.
        """
        settings = load(environ)
        forget_secrets(os.environ)
        return settings

    def tell_start(self, metrics: Metrics) -> None:
        """Tell metrics and log how far the process is protected, and how long each stage of its start took; the last one ends here."""
        self._stages.ended("opening")
        metrics.process_hardened(**self._hardening)
        metrics.replica_started(self._stages.seconds)
        log = structlog.get_logger(__name__)
        log.info("process_hardened", **self._hardening)
        log.info("replica_started", **{f"{stage}_seconds": round(seconds, 3) for stage, seconds in self._stages.seconds.items()})

    async def check_health(self) -> None:
        """Answer Serve that the event loop runs, which is all that `/api/v1/health/live` says.

        Never fails because a dependency is away: Serve would replace a replica that is well by one that is no better off.
        """

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Tell Serve what `deployments.autoscaling` looks at beside the requests."""
        share = memory_share()
        return {} if share is None else {MEMORY_SHARE: share}

    async def __del__(self) -> None:
        await self._resources.aclose()
