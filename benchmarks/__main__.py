"""Ask every question and write down the answers: `python -m benchmarks [--full] [--rounds N] [--output FOLDER] [--only QUESTION ...]`."""

import argparse
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import machine
from benchmarks.house import CannotStartError, open_house
from benchmarks.plots import draw
from benchmarks.report import QUESTIONS, report
from benchmarks.results import Results
from benchmarks.session import FULL, SHORT, Session

_OUTPUT = Path(__file__).with_name("results") / "new"


def main() -> int:
    """Run, and return the exit code."""
    arguments = _arguments()
    # Ended from outside, everything that was started is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console, begin = Console(), time.monotonic()
    scale = FULL if arguments.full else SHORT
    if arguments.rounds:
        scale = replace(scale, name=f"{scale.name}, {arguments.rounds} rounds", rounds=arguments.rounds)
    results = Results(machine.facts(scale.name))

    def tell(line: str) -> None:
        console.print(f"{time.monotonic() - begin:5.0f} s  {line}", highlight=False, markup=False)

    if shutil.which("wrk") is None:
        tell("wrk is missing: apt-get install wrk")
        return 1
    tell("starting the service and bare uvicorn")
    try:
        with open_house() as house:
            session = Session(house, scale, results, tell)
            for question in QUESTIONS:
                if not arguments.only or question.QUESTION in arguments.only:
                    tell(question.QUESTION)
                    question.measure(session)
            tell("ending")
    except CannotStartError as error:
        tell(f"it does not start:\n{error}")
        return 1
    write(results, arguments.output)
    tell(f"written to {arguments.output}")
    return 0


def write(results: Results, folder: Path) -> None:
    """Write the samples, the tables and the plots."""
    folder.mkdir(parents=True, exist_ok=True)
    results.write(folder / "results.json")
    (folder / "results.md").write_text(report(results))
    draw(results, folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the signing path")
    parser.add_argument("--full", action="store_true", help="more runs, longer ones, every network, and large databases: about 75 minutes")
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="folder for results.json, results.md and the plots")
    parser.add_argument("--rounds", type=int, default=0, help="how often each target has its turn (3 in the short form, 5 in the full one)")
    parser.add_argument("--only", nargs="+", choices=[each.QUESTION for each in QUESTIONS], help="some questions only")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
