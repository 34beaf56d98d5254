"""Take secrets out of what is about to be logged: a last line, should one ever get there."""

import re
from collections.abc import Mapping, MutableMapping
from functools import cache, lru_cache
from typing import Any

from mnemonic import Mnemonic

REDACTED = "<redacted>"

_SECRET_KEYS = re.compile(
    r"api[_-]?key(?!_id)|authorization|cookie|mnemonic(?!_length)|passphrase|password|phrase|private[_-]?key|secret|seed|token(?!_transfer)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_WORD = re.compile(r"[a-z]+")
_MAX_DEPTH = 6
_PHRASE_LENGTH = 12
_PHRASE_HITS = 10


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact an event of structlog: values under telling names, BIP-39 phrases and passwords in URLs anywhere."""
    for key, value in event.items():
        event[key] = _redacted(key, value, _MAX_DEPTH)
    return event


def looks_like_mnemonic(text: str) -> bool:
    """Tell whether 12 words in a row are, but for two that may be misspelt, from the BIP-39 English list."""
    if len(text) < _PHRASE_LENGTH * 4 - 1:
        return False
    known = _word_list()
    hits = [word in known for word in _WORD.findall(text.lower())]
    return any(sum(hits[start : start + _PHRASE_LENGTH]) >= _PHRASE_HITS for start in range(len(hits) - _PHRASE_LENGTH + 1))


def _redacted(key: str, value: Any, depth: int) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    if depth == 0 or _is_secret_key(key):
        return REDACTED
    if isinstance(value, str):
        return _redacted_text(value)
    if isinstance(value, Mapping):
        return {str(name): _redacted(str(name), item, depth - 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", item, depth - 1) for item in value]
    return _redacted_text(str(value))


def _redacted_text(text: str) -> str:
    if looks_like_mnemonic(text):
        return REDACTED
    return _URL_PASSWORD.sub(rf"\1{REDACTED}@", text) if "://" in text else text


@lru_cache(1024)
def _is_secret_key(key: str) -> bool:
    return _SECRET_KEYS.search(key) is not None


@cache
def _word_list() -> frozenset[str]:
    return frozenset(Mnemonic("english").wordlist)
