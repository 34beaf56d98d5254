"""Every error has one meaning for clients."""

import pickle
import re
from collections.abc import Iterator
from typing import TypeVar

import pytest

from api import errors
from api.errors import INTERNAL, OUTCOMES, EdgeError, MethodNotAllowedError, RateLimitedError, detail, headers, outcome
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError, PolicyViolationError, UnavailableError, WalletError

E = TypeVar("E", bound=WalletError)

GRPC_CODES = {
    "ABORTED",
    "INVALID_ARGUMENT",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "UNAVAILABLE",
    "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED",
    "UNIMPLEMENTED",
    "DEADLINE_EXCEEDED",
    "INTERNAL",
}


def descendants(kind: type[WalletError]) -> Iterator[type[WalletError]]:
    """List the subclasses of an error, their own included."""
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def raisable() -> list[type[WalletError]]:
    """List the errors of the two rooms that are raised: all but the roots."""
    rooms = ("wallets.", "api.")
    return [kind for kind in descendants(WalletError) if kind is not EdgeError and kind.__module__.startswith(rooms)]


def crossed(error: E) -> E:
    """Return an error as it arrives in another process."""
    copy: E = pickle.loads(pickle.dumps(error))  # noqa: S301  # nothing is unpickled but what this line has pickled
    return copy


@pytest.mark.parametrize("kind", raisable(), ids=lambda kind: kind.__name__)
def test_each_error_stands_in_the_table(kind: type[WalletError]) -> None:
    """No error of ours becomes a status by accident of its ancestry."""
    assert kind in OUTCOMES


@pytest.mark.parametrize("kind", raisable(), ids=lambda kind: kind.__name__)
def test_each_error_pickles_with_what_it_says(kind: type[WalletError]) -> None:
    """An error crosses to another process and back unchanged."""
    error = kind("what went wrong")

    copy = crossed(error)

    assert type(copy) is kind
    assert str(copy) == "what went wrong"


def test_outcomes_are_well_formed_and_named_once() -> None:
    """Names make URNs, statuses and codes are ones that exist, and one name is one problem."""
    found = set(OUTCOMES.values())

    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", each.name) for each in found)
    assert all(400 <= each.http_status < 600 for each in found)
    assert {each.grpc_code for each in found} <= GRPC_CODES
    assert len({each.name for each in found}) == len(found)


def test_an_error_added_later_is_what_its_parent_is() -> None:
    """A subclass that nobody put into the table keeps the meaning of its parent."""

    class LimitError(PolicyViolationError):
        """Refused by a limit."""

    assert outcome(LimitError("too much")) == OUTCOMES[PolicyViolationError]


@pytest.mark.parametrize("error", [KeyError("secret"), RuntimeError("postgresql://user:password@host")])
def test_a_bug_says_nothing_of_its_cause(error: Exception) -> None:
    """It is an internal error without detail."""
    assert outcome(error) == INTERNAL
    assert str(error.args[0]) not in detail(error)


def test_a_corrupt_ciphertext_is_a_fault_that_is_named() -> None:
    """It says what it is, and nothing invites to try again."""
    error = CorruptCiphertextError("the stored ciphertext does not decrypt")

    assert (outcome(error).name, outcome(error).http_status) == ("corrupt-ciphertext", 500)
    assert detail(error) == "the stored ciphertext does not decrypt"
    assert headers(error) == {}


def test_headers_tell_what_to_do_next() -> None:
    """A limit and an outage say when, a wrong method says which, a missing key says how."""
    assert headers(RateLimitedError("slow down", 7)) == {"Retry-After": "7"}
    assert headers(UnavailableError("away")) == {"Retry-After": str(errors.UNAVAILABLE_RETRY_SECONDS)}
    assert headers(KeyEncryptionUnavailableError("away", 17.2)) == {"Retry-After": "18"}
    assert headers(UnavailableError("away", 0.0)) == {"Retry-After": "1"}
    assert headers(MethodNotAllowedError("no", ("GET", "POST"))) == {"Allow": "GET, POST"}
    assert "X-Api-Key" in headers(errors.AuthenticationError("who?"))["WWW-Authenticate"]


def test_a_limit_keeps_its_time_when_pickled() -> None:
    """What a rate limit or an outage says besides its message crosses as well."""
    assert crossed(UnavailableError("away", 7.5)).retry_after_seconds == 7.5
    assert crossed(RateLimitedError("slow down", 7)).retry_after == 7
