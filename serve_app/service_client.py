"""Call the running service over HTTP, as `up`, `status` and `demo` do."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 15.0
_TRIES = 20
_LONGEST_PAUSE_SECONDS = 5.0


class ServiceError(Exception):
    """The service cannot be reached, or refuses; the message says which, in its own words."""


@dataclass(frozen=True, slots=True)
class ServiceClient:
    """The HTTP API at `url` (`http://host:port`, on this machine), with the key that clients show; None sends none."""

    url: str
    api_key: str | None = None
    sleep: Callable[[float], None] = time.sleep

    def get(self, path: str) -> tuple[int, Any]:
        """Return the status and the parsed body of a GET, whichever the status is.

        Raises:
            ServiceError: Nobody answers, or not with JSON.
        """
        return self._send(path, None)

    def text(self, path: str) -> str:
        """Return the text of a GET that succeeds.

        Raises:
            ServiceError: It does not succeed.
        """
        status, _, content = self._exchange(path, None)
        if status != HTTPStatus.OK:
            msg = f"the service answers {status}"
            raise ServiceError(msg)
        return content.decode()

    def fetch(self, path: str) -> Any:
        """Return the body of a GET that succeeds; wait where the service says that there are too many requests.

        Raises:
            ServiceError: It does not succeed.
        """
        return self._succeed(path, None)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Return the body of a POST that succeeds; wait where the service says that there are too many requests.

        Raises:
            ServiceError: It does not succeed.
        """
        return self._succeed(path, json.dumps(body).encode())

    def _succeed(self, path: str, body: bytes | None) -> Any:
        for _ in range(_TRIES):
            status, answer = self._send(path, body)
            if status != HTTPStatus.TOO_MANY_REQUESTS:
                break
            self.sleep(min(_LONGEST_PAUSE_SECONDS, answer["retry_after"]))
        if 200 <= status < 300:
            return answer
        msg = f"the service answers {status}: {answer.get('detail', 'without a reason')}"
        raise ServiceError(msg)

    def _send(self, path: str, body: bytes | None) -> tuple[int, Any]:
        status, retry_after, content = self._exchange(path, body)
        if status >= HTTPStatus.BAD_REQUEST:
            return status, {**_parse_refusal(content), "retry_after": _seconds(retry_after)}
        try:
            return status, _parse(content)
        except ValueError as error:
            raise self._unreachable(error) from error

    def _exchange(self, path: str, body: bytes | None) -> tuple[int, str | None, bytes]:
        """Return status, `Retry-After` and content of what is answered; `body` is posted if there is one."""
        place = urlsplit(self.url)
        if not place.hostname:
            raise self._unreachable(ValueError("it is not said where it is"))
        headers = {"Content-Type": "application/json"} | ({} if self.api_key is None else {"X-Api-Key": self.api_key})
        try:
            with closing(HTTPConnection(place.netloc, timeout=_TIMEOUT_SECONDS)) as connection:
                connection.request("GET" if body is None else "POST", path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.headers.get("Retry-After"), answer.read()
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ServiceError:
        return ServiceError(f"the service at {self.url} does not answer: {getattr(error, 'strerror', None) or error}")


def _parse(data: bytes) -> Any:
    content = json.loads(data or b"{}")
    if not isinstance(content, dict):
        msg = "the answer is no JSON object"
        raise json.JSONDecodeError(msg, data.decode(), 0)
    return content


def _parse_refusal(data: bytes) -> Any:
    """Read a refusal, which is no JSON where HAProxy answers because no replica is there yet."""
    try:
        return _parse(data)
    except ValueError:
        return {}


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 1.0
