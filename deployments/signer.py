"""Hold the keys: the deployment behind the gateways of the isolated topology, in the only processes that see a seed."""

from collections.abc import AsyncIterator, Sequence

from deployments.metrics_port import metrics_port
from deployments.remote import Answers, Call, CallAnswerer
from deployments.replica import HardenedReplica
from deployments.requirements import require_custody
from deployments.wiring import open_signer


class Signer(HardenedReplica):
    """Decode, sign and audit what gateways are asked. It is called through Ray, which knows who calls; its own port tells metrics alone."""

    async def open(self) -> None:
        """See `HardenedReplica.open`."""
        settings = require_custody(self.read_settings())
        custody, metrics = await self._resources.enter_async_context(open_signer(settings))
        if settings.signers.metrics_port is not None:
            port = metrics_port(metrics, settings.signers.metrics_host, settings.signers.metrics_port)
            await self._resources.enter_async_context(port)
        self._answerer = CallAnswerer(custody)
        self.tell_start(metrics)

    async def answer(self, calls: Sequence[Call]) -> AsyncIterator[Answers]:
        """Answer the calls of a gateway, in pieces."""
        async for piece in self._answerer.answer(calls):
            yield piece
