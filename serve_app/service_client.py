"""Call the running service over HTTP, as `up`, `status` and `demo` do."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TIMEOUT_SECONDS = 15.0
_TRIES = 20
_TOO_MANY_REQUESTS = 429
_LONGEST_PAUSE_SECONDS = 5.0

# The service is on this machine: no proxy of the environment leads to it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServiceError(Exception):
    """The service cannot be reached, or refuses; the message says which, in its own words."""


@dataclass(frozen=True, slots=True)
class ServiceClient:
    """The HTTP API at `url`, with the key that clients show; None sends none."""

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
        try:
            with _OPENER.open(self._request(path, None), timeout=_TIMEOUT_SECONDS) as answer:
                content: bytes = answer.read()
        except OSError as error:
            raise self._unreachable(error) from error
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
            if status != _TOO_MANY_REQUESTS:
                break
            self.sleep(min(_LONGEST_PAUSE_SECONDS, answer["retry_after"]))
        if 200 <= status < 300:
            return answer
        msg = f"the service answers {status}: {answer.get('detail', 'without a reason')}"
        raise ServiceError(msg)

    def _send(self, path: str, body: bytes | None) -> tuple[int, Any]:
        try:
            with _OPENER.open(self._request(path, body), timeout=_TIMEOUT_SECONDS) as answer:
                return answer.status, _parse(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {**_parse_refusal(error.read()), "retry_after": _seconds(error.headers.get("Retry-After"))}
        except (OSError, ValueError) as error:
            raise self._unreachable(error) from error

    def _request(self, path: str, body: bytes | None) -> urllib.request.Request:
        headers = {"Content-Type": "application/json"} | ({} if self.api_key is None else {"X-Api-Key": self.api_key})
        return urllib.request.Request(self.url + path, body, headers)  # noqa: S310  # the URL is http: `up` has written it down, and no client

    def _unreachable(self, error: Exception) -> ServiceError:
        reason = getattr(error, "reason", error)
        return ServiceError(f"the service at {self.url} does not answer: {getattr(reason, 'strerror', None) or reason}")


def _parse(data: bytes) -> Any:
    content = json.loads(data or b"{}")
    if not isinstance(content, dict):
        msg = "the answer is no JSON object"
        raise ValueError(msg)  # noqa: TRY004  # the text is wrong, not the type that was passed, as for json.loads
    return content


def _parse_refusal(data: bytes) -> Any:
    """Read a refusal, which is no JSON where HAProxy answers because no replica is there yet."""
    try:
        return _parse(data)
    except ValueError:
        return {}


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 1.0
