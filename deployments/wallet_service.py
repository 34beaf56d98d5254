"""Serve wallets from one process: the ingress of the inline topology."""

from deployments.ingress import Ingress
from deployments.requirements import require_dependencies
from deployments.wiring import open_custody


class WalletService(Ingress):
    """Authenticate, limit, decode, sign and audit, all in this process: no Ray call stands in a request's way."""

    async def open(self) -> None:
        """See `HardenedReplica.open`."""
        await self.open_app(require_dependencies(self.read_settings()), open_custody)
