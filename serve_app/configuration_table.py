"""Show the configuration as it is in effect, without its secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from deployments.settings import PREFIX, Settings, variables

REDACTED = "<redacted>"


@dataclass(frozen=True, slots=True)
class Effective:
    """A variable: its value in effect as text, whether it was set, and what it means."""

    name: str
    value: str
    is_set: bool
    meaning: str


def effective(settings: Settings, environ: Mapping[str, str]) -> Iterator[Effective]:
    """List every variable with its value in effect."""
    for variable in variables():
        value: object = settings
        for step in variable.name.removeprefix(PREFIX).lower().split("__"):
            value = getattr(value, step)
        yield Effective(variable.name, _shown(value), bool(environ.get(variable.name)), variable.meaning)


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return REDACTED
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
