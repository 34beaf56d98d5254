"""Fuzz every decoder, each FUZZ_SECONDS: `make fuzz`, or `python -m tests.fuzz NAME...` for some.

A process of its own looks for inputs that reach new code, and fails on the first finding. All that it kept is then run again here, without
what watches the code: no input may take more than 50 ms or 64 MiB. Findings are kept in `findings`, where `make test` runs them for ever.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.limits import MAX_BYTES, excess
from tests.fuzz.targets import FINDINGS, TARGETS, Target

SECONDS = int(os.environ.get("FUZZ_SECONDS", "600"))

_HANGS_AFTER = 20
"""Seconds that one input takes, watched: the watched code is many times slower, and the limit is checked afterwards."""


def main() -> int:
    """Return how many targets have findings, at most 100."""
    names = sys.argv[1:] or list(TARGETS)
    return min(100, sum([not _holds(name, TARGETS[name]) for name in names]))


def _holds(name: str, target: Target) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        corpus, found = Path(folder, "corpus"), Path(folder, "found")
        corpus.mkdir()
        found.mkdir()
        for seed in target.seeds:
            (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
        outcome = _fuzzed(name, corpus, found)
        executions = re.search(r"number_of_executed_units: ([0-9]+)", outcome.stdout)
        kept = sorted(corpus.iterdir())
        bad = [path for path in kept if excess(target, path.read_bytes())] + list(found.iterdir())
        for path in bad:
            _keep(name, path.read_bytes())
        number = executions[1] if executions else "?"
        sys.stdout.write(f"{name}: {number} inputs, {len(kept)} kept, {len(bad)} findings\n")
        if bad or outcome.returncode:
            sys.stdout.write(f"{outcome.stdout[-4_000:]}\nit ended with {outcome.returncode}\n")
        sys.stdout.flush()
        return not bad and outcome.returncode == 0


def _fuzzed(name: str, corpus: Path, found: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(corpus), f"-artifact_prefix={found}/", f"-max_total_time={SECONDS}"]
    command += [f"-max_len={MAX_BYTES}", f"-timeout={_HANGS_AFTER}", "-use_value_profile=1", "-print_final_stats=1"]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)


def _keep(name: str, raw: bytes) -> None:
    folder = FINDINGS / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(raw).hexdigest()[:16]).write_bytes(raw)


sys.exit(main())
