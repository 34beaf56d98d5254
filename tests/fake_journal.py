"""Keep audit rows in memory, and what is written with them."""

import json
from dataclasses import dataclass, field, replace

from wallets.errors import RequestRunningError, StoreUnavailableError
from wallets.model import AuditEvent
from wallets.nonces import refusal
from wallets.once import IdempotentRequest, NonceUse


@dataclass
class Journal:
    """Keep the audit rows that a store, an address book and an audit log write together, with their answers. `away` refuses every row."""

    events: list[AuditEvent] = field(default_factory=list)
    away: bool = False
    claims: dict[bytes, IdempotentRequest] = field(default_factory=dict)
    answers: dict[bytes, bytes] = field(default_factory=dict)
    nonces: dict[tuple[str, str, str], bytes] = field(default_factory=dict)

    def write(self, *events: AuditEvent) -> None:
        """Keep rows and what is written with them, or nothing.

        Raises:
            NonceUsedError: Other transactions have used nonces.
            RequestRunningError: A claim is another's.
        """
        nonces, refused = dict(self.nonces), []
        for place, event in enumerate(events):
            use = event.nonce
            if use is not None and not use.is_replacement and nonces.get(_key(use), use.digest) != use.digest:
                refused.append((place, use))
            elif use is not None:
                nonces[_key(use)] = use.digest
        if refused:
            raise refusal(refused[0][1], tuple(place for place, _ in refused))
        for event in events:
            self._answer(event)
        self.nonces = nonces
        self.events += [self.stored(event) for event in events]

    def _answer(self, event: AuditEvent) -> None:
        request = event.caller.idempotency
        if request is not None and event.answer is not None:
            if self.claims.get(request.name) != request or request.name in self.answers:
                raise RequestRunningError(request.name)
            self.answers[request.name] = event.answer

    def stored(self, event: AuditEvent) -> AuditEvent:
        """Return the event as a database would give it back: with details that went through JSON.

        Raises:
            TypeError: The details are not JSON.
        """
        return replace(event, details=json.loads(json.dumps(event.details, allow_nan=False)))


def _key(use: NonceUse) -> tuple[str, str, str]:
    return use.chain, use.address, use.nonce


def write_in_transaction(journal: Journal, event: AuditEvent) -> None:
    """Write a row in the transaction of a store, which fails as a whole.

    Raises:
        StoreUnavailableError: The journal is away.
    """
    if journal.away:
        msg = "the database is away"
        raise StoreUnavailableError(msg)
    journal.write(event)
