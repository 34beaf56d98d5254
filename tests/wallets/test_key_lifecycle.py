"""Keys are rotated, wallets rewrapped and moved, and old versions retired, without losing a wallet or an audit row."""

from collections.abc import Sequence

import pytest

from tests.fakes import FakeKeyEncryption
from tests.wallets.lifecycle_house import Office, every_step
from wallets.errors import (
    AuditUnavailableError,
    ConflictError,
    CorruptCiphertextError,
    InvalidRequestError,
    KeyEncryptionUnavailableError,
    StoreUnavailableError,
)
from wallets.key_lifecycle import Progress
from wallets.model import (
    AuditAction,
    AuditStatus,
    EncryptedMnemonic,
    KeyVersion,
    KeyVersions,
)
from wallets.secret import Mnemonic


@pytest.fixture
def office() -> Office:
    """An operator with nothing kept yet."""
    return Office()


async def test_a_rotation_is_audited_before_and_after(office: Office) -> None:
    """With the version before and the new one."""
    number = await office.keys.rotate(office.vault)

    assert number == 2 == (await office.vault.versions()).latest
    assert [(event.status, event.details) for event in office.events(AuditAction.KEYS_ROTATE)] == [
        (AuditStatus.OK, {"backend": "vault", "from": 1, "step": "asked"}),
        (AuditStatus.OK, {"backend": "vault", "from": 1, "step": "done", "to": 2}),
    ]


async def test_no_audit_no_rotation(office: Office) -> None:
    """Where the first row cannot be written the key stays."""
    office.audit.away = True

    with pytest.raises(AuditUnavailableError):
        await office.keys.rotate(office.vault)

    assert (await office.vault.versions()).latest == 1


async def test_a_rotation_that_fails_is_audited(office: Office) -> None:
    """With the reason."""
    office.vault.away = True

    with pytest.raises(KeyEncryptionUnavailableError):
        await office.keys.rotate(office.vault)

    (event,) = office.events(AuditAction.KEYS_ROTATE)
    assert (event.status, event.details) == (AuditStatus.FAILED, {"backend": "vault", "reason": "the key backend is away"})


async def test_rewrapping_brings_every_wallet_to_the_latest_version(office: Office) -> None:
    """In batches, each with its audit row; progress is told from none to all."""
    await office.keep(office.vault, 4)
    await office.vault.rotate()
    await office.keep(office.vault, 3)
    await office.vault.rotate()
    await office.keep(office.vault, 2)

    steps = await every_step(office.keys.rewrap(office.vault))

    assert [Progress(7, done) for done in (0, 3, 4, 7)] == steps
    assert {KeyVersion("vault", 3): 9} == dict(await office.ciphertexts.count())
    assert await office.all_decrypt(office.vault)
    rows = [(each.status, each.details["from"], each.details["to"], each.details["wallets"]) for each in office.journal.events]
    assert rows == [
        (AuditStatus.OK, "vault:v1", "vault:v3", 3),
        (AuditStatus.OK, "vault:v1", "vault:v3", 1),
        (AuditStatus.OK, "vault:v2", "vault:v3", 3),
    ]


async def test_rewrapping_again_changes_nothing(office: Office) -> None:
    """What is under the latest version is not due."""
    await office.keep(office.vault, 4)
    await office.vault.rotate()
    await every_step(office.keys.rewrap(office.vault))
    before = office.store.rows()

    assert [Progress(0)] == await every_step(office.keys.rewrap(office.vault))
    assert before == office.store.rows()


async def test_rewrapping_leaves_other_backends_alone(office: Office) -> None:
    """Their versions mean nothing to this one."""
    await office.keep(office.vault, 2)
    await office.keep(office.local, 2)
    await office.vault.rotate()

    assert [Progress(2), Progress(2, 2)] == await every_step(office.keys.rewrap(office.vault))
    assert {KeyVersion("vault", 2): 2, KeyVersion("local", 1): 2} == dict(await office.ciphertexts.count())


async def test_rewrapping_goes_on_where_it_was_interrupted(office: Office) -> None:
    """After the backend, the database or the audit was away: what was renewed stays so, and the rest follows."""
    await office.keep(office.vault, 8)
    await office.vault.rotate()
    steps = office.keys.rewrap(office.vault)
    assert [Progress(8), Progress(8, 3)] == [await anext(steps), await anext(steps)]
    office.vault.away = True
    with pytest.raises(KeyEncryptionUnavailableError):
        await anext(steps)
    office.vault.away = False
    assert office.journal.events[-1].status is AuditStatus.FAILED
    for gone in (office.ciphertexts, office.audit):
        gone.away = True
        with pytest.raises(StoreUnavailableError):
            await every_step(office.keys.rewrap(office.vault))
        gone.away = False

    assert [Progress(5), Progress(5, 3), Progress(5, 5)] == await every_step(office.keys.rewrap(office.vault))
    assert await office.all_decrypt(office.vault)


async def test_a_damaged_wallet_does_not_hinder_the_others(office: Office) -> None:
    """It is counted, audited by name, and left as it is."""
    await office.keep(office.vault, 7)
    await office.vault.rotate()
    damaged = await office.damage_one()
    before = await office.store.encrypted_mnemonic(damaged)

    steps = await every_step(office.keys.rewrap(office.vault))

    assert Progress(7, 6, 1) == steps[-1]
    assert before == await office.store.encrypted_mnemonic(damaged)
    failures = [event for event in office.events(AuditAction.KEYS_REWRAP) if event.status is AuditStatus.FAILED]
    assert [(event.wallet_id, event.details["from"]) for event in failures] == [(damaged, "vault:v1")]
    assert await office.all_decrypt(office.vault)


async def test_a_wallet_that_somebody_else_renewed_meanwhile_is_left_as_it_is(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as neither renewed nor failed."""
    await office.keep(office.vault, 3)
    await office.vault.rotate()
    rewrap_many = office.vault.rewrap_many

    async def overtaken(items: Sequence[EncryptedMnemonic]) -> Sequence[str | CorruptCiphertextError]:
        renewed = await rewrap_many(items)
        monkeypatch.setattr(office.vault, "rewrap_many", rewrap_many)
        await every_step(office.keys.rewrap(office.vault))
        return renewed

    monkeypatch.setattr(office.vault, "rewrap_many", overtaken)

    steps = await every_step(office.keys.rewrap(office.vault))

    assert [Progress(3), Progress(3, 0)] == steps
    assert await office.all_decrypt(office.vault)


async def test_migrating_moves_every_wallet(office: Office) -> None:
    """Those of the target stay as they are; each batch has its audit row."""
    await office.keep(office.vault, 5)
    await office.vault.rotate()
    await office.keep(office.vault, 1)
    await office.keep(office.local, 2)

    steps = await every_step(office.keys.migrate(office.both, office.local, "local"))

    assert [Progress(6, done) for done in (0, 3, 5, 6)] == steps
    assert {KeyVersion("local", 1): 8} == dict(await office.ciphertexts.count())
    assert await office.all_decrypt(office.local)
    rows = [(each.details["from"], each.details["to"], each.details["wallets"]) for each in office.events(AuditAction.KEYS_MIGRATE)]
    assert rows == [("vault:v1", "local:v1", 3), ("vault:v1", "local:v1", 2), ("vault:v2", "local:v1", 1)]
    assert [Progress(0)] == await every_step(office.keys.migrate(office.both, office.local, "local"))


async def test_a_new_ciphertext_that_does_not_decrypt_to_the_same_never_takes_the_old_ones_place(office: Office) -> None:
    """Whether it decrypts to something else or not at all; the others move."""
    await office.keep(office.vault, 3)
    first, second, _ = sorted(office.store.rows(), key=lambda row: row.wallet.id)

    office.local = _Bad("local")

    steps = await every_step(office.keys.migrate(office.vault, office.local, "local"))

    assert Progress(3, 1, 2) == steps[-1]
    for row in (first, second):
        assert row.ciphertext == await office.store.encrypted_mnemonic(row.wallet.id)
    failed = [event.wallet_id for event in office.events(AuditAction.KEYS_MIGRATE) if event.status is AuditStatus.FAILED]
    assert [first.wallet.id, second.wallet.id] == failed
    assert await office.all_decrypt(office.both)


async def test_a_damaged_or_nameless_ciphertext_is_not_moved(office: Office) -> None:
    """Both are counted and audited."""
    await office.keep(office.vault, 4)
    damaged = await office.damage_one()
    nameless = next(row.wallet.id for row in office.store.rows() if row.wallet.id != damaged)
    office.store.replace_ciphertext(nameless, "nonsense")
    del office.phrases[nameless]

    steps = await every_step(office.keys.migrate(office.both, office.local, "local"))

    assert Progress(4, 2, 2) == steps[-1]
    failed = {event.wallet_id for event in office.events(AuditAction.KEYS_MIGRATE) if event.status is AuditStatus.FAILED}
    assert {damaged, nameless} == failed


@pytest.mark.parametrize("away", [False, True])
async def test_every_secret_of_a_batch_is_closed(office: Office, monkeypatch: pytest.MonkeyPatch, *, away: bool) -> None:
    """Also when a backend goes away in the middle of it."""
    await office.keep(office.vault, 3)
    office.local.away = away
    opened: list[Mnemonic] = []
    decrypt_many = FakeKeyEncryption.decrypt_many

    async def remembering(self: FakeKeyEncryption, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        answers = await decrypt_many(self, items)
        opened.extend(each for each in answers if isinstance(each, Mnemonic))
        return answers

    monkeypatch.setattr(FakeKeyEncryption, "decrypt_many", remembering)
    steps = office.keys.migrate(office.vault, office.local, "local")
    if away:
        with pytest.raises(KeyEncryptionUnavailableError):
            await every_step(steps)
    else:
        await every_step(steps)

    assert len(opened) == (3 if away else 6)
    for phrase in opened:
        with pytest.raises(ValueError, match="closed"):
            phrase.reveal()


async def test_retiring_refuses_old_versions_from_then_on(office: Office) -> None:
    """Audited before and after; everything that is kept still decrypts."""
    await office.keep(office.vault, 2)
    await office.vault.rotate()
    await every_step(office.keys.rewrap(office.vault))
    office.journal.events.clear()

    versions = await office.keys.retire(office.vault, 2)

    assert KeyVersions(latest=2, oldest_usable=2) == versions == await office.vault.versions()
    assert await office.all_decrypt(office.vault)
    details = {"backend": "vault", "below": 2, "from": 1}
    assert [event.details for event in office.events(AuditAction.KEYS_RETIRE)] == [{**details, "step": s} for s in ("asked", "done")]


async def test_a_version_that_a_wallet_is_under_is_not_retired(office: Office) -> None:
    """The refusal says how many there are, and is audited."""
    await office.keep(office.vault, 2)
    await office.vault.rotate()

    with pytest.raises(ConflictError, match="2 wallets are under vault:v1: rewrap them first"):
        await office.keys.retire(office.vault, 2)

    assert (await office.vault.versions()).oldest_usable == 1
    assert [event.status for event in office.events(AuditAction.KEYS_RETIRE)] == [AuditStatus.REFUSED]


@pytest.mark.parametrize("below", [-1, 0, 1, 3])
async def test_there_must_be_something_to_retire(office: Office, below: int) -> None:
    """Neither what is refused already nor what is yet to come."""
    await office.vault.rotate()

    with pytest.raises(InvalidRequestError, match="nothing to retire"):
        await office.keys.retire(office.vault, below)

    assert (await office.vault.versions()).oldest_usable == 1


async def test_a_wallet_that_came_late_takes_the_retirement_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was encrypted before the rotation and kept after the check; nothing is lost."""
    await office.vault.rotate()
    late = FakeKeyEncryption("vault")
    set_oldest_usable = office.vault.set_oldest_usable

    async def overtaken(number: int) -> None:
        await set_oldest_usable(number)
        if not office.phrases:
            await office.keep(late, 1)

    monkeypatch.setattr(office.vault, "set_oldest_usable", overtaken)

    with pytest.raises(ConflictError, match="1 wallets are under vault:v1"):
        await office.keys.retire(office.vault, 2)

    assert (await office.vault.versions()).oldest_usable == 1


class _Bad(FakeKeyEncryption):
    """A backend that encrypts another phrase than the first of each batch, and damages the ciphertext of the second."""

    async def encrypt_many(self, items: Sequence[tuple[Mnemonic, bytes]]) -> Sequence[str]:
        (_, bound), *others = items
        first, damaged, *rest = await super().encrypt_many([(Mnemonic(b"another"), bound), *others])
        return [first, damaged[:-8] + "AAAA" + damaged[-4:], *rest]
