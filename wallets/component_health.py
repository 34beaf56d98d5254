"""Ask the components of a service, at once, how they are."""

import asyncio
from collections.abc import Mapping, Sequence

from wallets.model import ComponentHealth, HealthStatus
from wallets.ports import Component

HEALTH_CHECK_SECONDS = 2.0
"""What a component has to say how it is."""


async def ask(components: Sequence[Component]) -> Mapping[str, ComponentHealth]:
    """Return what each says, by name."""
    checks = {component.name: asyncio.ensure_future(component.check()) for component in components}
    if checks:
        await asyncio.wait(checks.values(), timeout=HEALTH_CHECK_SECONDS)
    return {name: _answer(check) for name, check in checks.items()}


def _answer(check: asyncio.Future[ComponentHealth]) -> ComponentHealth:
    """Return what a component said, or that it is in error if it raised or did not say anything in time: one must not hide the others."""
    if check.done() and not check.cancelled() and check.exception() is None:
        return check.result()
    check.cancel()
    return ComponentHealth(HealthStatus.ERROR, HEALTH_CHECK_SECONDS * 1000)
