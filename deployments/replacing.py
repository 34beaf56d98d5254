"""Replace functions of Ray Serve's, where it has no switch for what they do wrong."""

from types import ModuleType


def replace_in(owner: type | ModuleType, name: str, ours: object) -> None:
    """Have `owner.name` be `ours` from now on, in this process.

    Raises:
        RuntimeError: This version of Ray has no such name, and so does in another way what shall be corrected.
    """
    if not hasattr(owner, name):
        msg = f"this version of Ray has no {owner.__name__}.{name}; use the locked version"
        raise RuntimeError(msg)
    setattr(owner, name, ours)
