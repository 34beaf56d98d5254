"""Whatever the OpenAPI document allows, and much that it does not, is answered as it says: by schemathesis, on the running service."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve_app.whole_service import Service, whole_service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2_400)]

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "6"))
"""Cases of each operation, valid or not; `make contract` has 3,000 in all."""

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One that is well, and whose limit is out of the way."""
    with whole_service(APP__SERVER__RATE_LIMIT__REQUESTS_PER_SECOND="1000000", APP__SERVER__RATE_LIMIT__BURST_SIZE="1000000") as started:
        yield started


def test_no_answer_is_a_fault_or_undocumented(service: Service, tmp_path: Path) -> None:
    """No 5xx, no status, media type or content that the document does not have."""
    command: list[str | Path] = [Path(sys.executable).with_name("schemathesis"), "run", f"{service.url}/api-docs/openapi.json"]
    command += ["--header", f"X-Api-Key: {service.headers()['X-Api-Key']}", "--checks", ",".join(_CHECKS), "--phases", "fuzzing"]
    command += [
        "--max-examples",
        str(EXAMPLES),
        "--mode",
        "all",
        "--generation-deterministic",
        "--request-timeout",
        "60",
        "--no-color",
    ]

    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    cases = re.search(r"(\d+) generated", result.stdout)
    assert result.returncode == 0, result.stdout[-8_000:] + result.stderr[-2_000:]
    assert cases is not None, result.stdout
    assert int(cases[1]) >= 10 * EXAMPLES
