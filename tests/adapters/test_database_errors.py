"""Every error of the database's driver is an outage or a bug of ours."""

import inspect

import pytest
from asyncpg import exceptions

from adapters.database import mapped_errors, means_unavailable
from wallets.errors import StoreUnavailableError

BUGS = (
    exceptions.CardinalityViolationError,
    exceptions.CaseNotFoundError,
    exceptions.DataError,
    exceptions.DependentPrivilegeDescriptorsStillExistError,
    exceptions.DiagnosticsError,
    exceptions.ExternalRoutineError,
    exceptions.ExternalRoutineInvocationError,
    exceptions.FDWError,
    exceptions.FeatureNotSupportedError,
    exceptions.IntegrityConstraintViolationError,
    exceptions.InvalidArgumentForXqueryError,
    exceptions.InvalidCursorNameError,
    exceptions.InvalidCursorStateError,
    exceptions.InvalidGrantorError,
    exceptions.InvalidRoleSpecificationError,
    exceptions.InvalidSQLStatementNameError,
    exceptions.InvalidSchemaNameError,
    exceptions.InvalidTransactionInitiationError,
    exceptions.InvalidTransactionStateError,
    exceptions.InvalidTransactionTerminationError,
    exceptions.LocatorError,
    exceptions.PLPGSQLError,
    exceptions.ProgramLimitExceededError,
    exceptions.SQLRoutineError,
    exceptions.SQLStatementNotYetCompleteError,
    exceptions.SavepointError,
    exceptions.SyntaxOrAccessError,
    exceptions.TriggeredActionError,
    exceptions.TriggeredDataChangeViolationError,
    exceptions.WithCheckOptionViolationError,
    ValueError,
)
"""What PostgreSQL answers only to a statement, or an argument, of ours that is wrong."""


VENDOR_ERRORS = [
    error
    for _, error in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(error, exceptions.PostgresError | exceptions.InterfaceError | exceptions.InternalClientError)
    and error not in {exceptions.PostgresError, exceptions.FatalPostgresError}
]


@pytest.mark.parametrize("error", [*VENDOR_ERRORS, OSError, TimeoutError, ConnectionResetError])
def test_every_vendor_error_is_away_or_a_bug(error: type[Exception]) -> None:
    """No class of asyncpg is left undecided."""
    instance = error.__new__(error)

    assert means_unavailable(instance) or isinstance(instance, BUGS)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.CannotConnectNowError("starting up"),
        exceptions.TooManyConnectionsError("sorry"),
        exceptions.AdminShutdownError("bye"),
        exceptions.DiskFullError("full"),
        exceptions.InvalidPasswordError("no"),
        exceptions.ConnectionDoesNotExistError("gone"),
        exceptions.DeadlockDetectedError("deadlock"),
        exceptions.ReadOnlySQLTransactionError("a standby"),
        exceptions.InterfaceError("pool is closing"),
        ConnectionRefusedError(),
        TimeoutError(),
    ],
)
def test_the_world_is_mapped(error: Exception) -> None:
    """What a database does that is away, overloaded or failing over."""
    with pytest.raises(StoreUnavailableError, match=r"^the database is away$"), mapped_errors():
        raise error


@pytest.mark.parametrize(
    "error", [exceptions.UndefinedTableError("x"), exceptions.UniqueViolationError("x"), ValueError("x"), KeyError("x")]
)
def test_bugs_pass(error: Exception) -> None:
    """A mistake of ours is not disguised as an outage."""
    with pytest.raises(type(error)), mapped_errors():
        raise error
