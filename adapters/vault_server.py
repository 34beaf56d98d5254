"""Reach Vault over HTTP: connections, and what its statuses mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hvac
import requests
from requests.adapters import HTTPAdapter

_TRANSIENT_STATUSES = frozenset({429, 473})


class TransientStatusError(Exception):
    """Vault answers, but cannot serve now: 5xx, 429, or 473 (a standby that cannot serve)."""


class GarbledAnswerError(Exception):
    """What came back is no answer of Vault's."""


TRANSIENT = (TransientStatusError, GarbledAnswerError, requests.RequestException, TimeoutError, OSError)
"""What may be better next time."""


@contextmanager
def understood() -> Iterator[None]:
    """Read an answer of Vault's, or a file of somebody else's.

    Raises:
        GarbledAnswerError: The block raises what reading an answer of another shape raises.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        if isinstance(error, requests.RequestException):
            raise
        raise GarbledAnswerError from None


class _Transport(HTTPAdapter):
    """Tell apart, by status, what hvac's exceptions lump together."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request. A batch of which some items are refused comes back as what it is: an answer.

        Raises:
            TransientStatusError: Vault cannot serve now.
        """
        response = super().send(request, *args, **kwargs)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status_code in _TRANSIENT_STATUSES:
            response.close()
            msg = f"status {response.status_code}"
            raise TransientStatusError(msg)
        if response.status_code == HTTPStatus.BAD_REQUEST and _has_batch_results(response):
            # Else hvac would raise an exception that holds the plaintexts of the items that did decrypt.
            response.status_code = HTTPStatus.OK
        return response


def _has_batch_results(response: requests.Response) -> bool:
    try:
        return "batch_results" in response.json()["data"]
    except (ValueError, LookupError, TypeError):
        return False


@dataclass(frozen=True, slots=True)
class VaultServer:
    """Where Vault is: its URL, the CA certificates that vouch for it (the system's if none are named), and the namespace in it."""

    address: str
    ca_file: Path | None = None
    namespace: str | None = None

    def session(self, connections: int) -> requests.Session:
        """Open connections, `connections` at most, to this address and no other scheme: no redirect leads from https to http."""
        session = requests.Session()
        session.trust_env = False  # a proxy of the environment must not see mnemonics
        session.verify = str(self.ca_file) if self.ca_file else True
        session.adapters.clear()
        session.mount(f"{urlsplit(self.address).scheme}://", _Transport(pool_maxsize=connections))
        return session

    def client(self, session: requests.Session, token: str, timeouts: tuple[float, float]) -> Any:
        """Return hvac's client with seconds to connect and seconds to answer; an empty token is none."""
        return hvac.Client(url=self.address, token=token, timeout=timeouts, session=session, namespace=self.namespace)
