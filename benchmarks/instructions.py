"""How many instructions does a request take in the application? Valgrind counts them, so that no neighbour changes the answer.

The application runs under uvicorn alone, in Valgrind's cachegrind, which tells of a whole process when that ends. So each case runs twice,
with few requests and with many, and what is told is the difference by the number of requests between. Instructions are no time: a request
that waits for memory takes longer, and has no more of them.
"""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import batches, load, wallet
from benchmarks.house import Target, run
from benchmarks.primitives import ALL, calls
from benchmarks.session import USUAL_CONNECTIONS, Session
from wallets.chains import CHAINS

QUESTION = "instructions"

_NETWORK = "eth"
_SECONDS = (4.0, 24.0)
"""How long the load of the first run is, and of the second."""
_CALLS = (100, 500)
_UNIT = "thousands"
_VALGRIND = ("/usr/bin/valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_TOLD = re.compile(r"I *refs: *([0-9,]+)")
_ALONE = "from benchmarks.instructions import sign_alone; sign_alone({count})"


def measure(session: Session) -> None:
    """Count for a signature alone, for one over HTTP, for each of a batch, and for a cached address."""
    if not session.scale.counts_instructions:
        session.tell(f"{QUESTION}: in the full form only")
        return
    if shutil.which(_VALGRIND[0]) is None:
        session.tell(f"{QUESTION}: valgrind is missing: apt-get install valgrind")
        return
    few, many = (_of_calls(session, count) for count in _CALLS)
    _add(session, ALL, (many - few) / (_CALLS[1] - _CALLS[0]))
    for name, (path, bodies, connections, work) in _cases().items():
        session.tell(f"{QUESTION}: {name}")
        (few, at_first), (many, at_last) = (_of_load(session, name, path, bodies, connections, seconds) for seconds in _SECONDS)
        _add(session, name, (many - few) / (at_last - at_first) / work)


def sign_alone(count: int) -> None:
    """Decode, sign and verify so many transactions; this is run in a process of its own."""
    call = calls(CHAINS[_NETWORK])[ALL]
    for _ in range(count):
        call()


def _cases() -> Mapping[str, tuple[str, Sequence[str], int, int]]:
    """Return the path below the wallet, the bodies, the connections, and how many things a request asks for."""
    return {
        "single signature": ("sign", wallet.sign_bodies(_NETWORK), USUAL_CONNECTIONS, 1),
        "signature of a batch of 100": ("sign-batch", batches.bodies(100), 1, 100),
        "cached address": (f"address/{_NETWORK}?index=0", (), USUAL_CONNECTIONS, 1),
    }


def _of_load(session: Session, name: str, path: str, bodies: Sequence[str], connections: int, seconds: float) -> tuple[int, int]:
    """Return the instructions of a whole process, and how many requests it has answered."""
    label = f"{QUESTION} {name} {seconds:g}".replace(" ", "-")
    told = session.house.folder / f"{label}.told"
    program = _watched(told, "-m", "benchmarks.bare_uvicorn")
    metrics = session.house.folder / f"{label}-metrics"
    metrics.mkdir()
    with session.house.another(label, {"APP__METRICS_DIR": str(metrics)}, program) as target:
        requests = session.requests(target, label, f"/api/v1/wallets/{_wallet(target)}/{path}", bodies)
        outcome = load.closed(target, requests, connections=connections, seconds=seconds)
    return _read(told), outcome.requests


def _wallet(target: Target) -> str:
    """Import the wallet, and have it unlocked."""
    found = wallet.import_wallet(target)
    target.client.get(f"/api/v1/wallets/{found}/address/{_NETWORK}?index=0")
    return found


def _of_calls(session: Session, count: int) -> int:
    told = session.house.folder / f"alone-{count}.told"
    # Without a random seed of hashes, dictionaries are laid out alike in both runs.
    run(_watched(told, "-c", _ALONE.format(count=count)), {"PYTHONHASHSEED": "0"}, told.with_suffix(".output"))
    return _read(told)


def _watched(told: Path, *arguments: str) -> tuple[str, str]:
    """Return the program that becomes Python in Valgrind, with these arguments."""
    command = [*_VALGRIND, f"--log-file={told}", sys.executable, *arguments]
    return "-c", f"import os; os.execv({command[0]!r}, {command!r})"


def _read(told: Path) -> int:
    found = _TOLD.search(told.read_text())
    assert found is not None, "cachegrind tells its figure at the end"
    return int(found[1].replace(",", ""))


def _add(session: Session, name: str, count: float) -> None:
    session.results.add(QUESTION, {"what": name}, "instructions", count / 1_000, _UNIT)
