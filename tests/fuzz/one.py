"""Fuzz one target until the time is over or it fails: `python -m tests.fuzz.one NAME FOLDER [libFuzzer's options]`."""

import sys

import atheris

with atheris.instrument_imports(include=["wallets", "api"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run libFuzzer, which ends the process."""
    name, *arguments = sys.argv[1:]
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name].run)
    atheris.Fuzz()


main()
