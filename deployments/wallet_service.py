"""Serve wallets from one process: the ingress of the inline topology."""

from deployments.ingress import Ingress
from deployments.requirements import require_dependencies
from deployments.wiring import open_custody


class WalletService(Ingress):
    """Authenticate, limit, decode, sign and audit, all in this process: no Ray call stands in a request's way."""

    async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits the constructor of a deployment
        """Read the settings from this replica's environment and open what they name.

        Raises:
            ConfigurationError: The settings cannot be right.
            SchemaMismatchError: The database's schema is too old or too new for this version.
        """
        self.protect()
        await self.open(require_dependencies(self.read_settings()), open_custody)
