"""Find what the service that runs here works with, for commands that work on its database and keys beside it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from deployments.settings import PREFIX, ConfigurationError, Settings, load
from serve_app.server_home import EmbeddedServerError, ServerHome, default_data_folder, told
from serve_app.state import Phase, read_state

_MADE = "made-settings.json"
_FILE = "_FILE"


def remember_made(home: ServerHome, made: Mapping[str, str]) -> None:
    """Keep the variables that the replicas have, by which commands find what these work with. Secrets are named by files."""
    home.write(_MADE, json.dumps(dict(made), indent=1))


def service_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the service that runs here, with those in `APP__*` before its own.

    Where `APP__*` name a database, another service may be meant, and they are all that counts.

    Raises:
        ConfigurationError: A variable is wrong, or there is neither `APP__DATABASE__URL` nor a service that runs here.
        EmbeddedServerError: The data folder is another user's.
    """
    environ = os.environ if environ is None else environ
    settings = load(environ)
    if settings.database.url is not None:
        return settings
    folder = (settings.data_dir or default_data_folder()).absolute()
    made = _made(folder)
    if made is None:
        msg = f"APP__DATABASE__URL: is not set, and no service runs on {folder}; start it with `crypto-wallets up`, or set one of the two"
        raise ConfigurationError(msg)
    own = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    return load({**{name: value for name, value in made.items() if not _is_named(name, own)}, **own})


def _is_named(name: str, own: Mapping[str, str]) -> bool:
    """Tell whether a variable is set, be it by the file that holds its value or by the value that a file would hold."""
    return any(each in own for each in (name, name.removesuffix(_FILE), name + _FILE))


def _made(folder: Path) -> Mapping[str, str] | None:
    """Return what `remember_made` has kept; None while nothing runs on the folder."""
    with told(folder):
        state = read_state(folder / "state.json")
        if state is None or state.phase is Phase.STOPPED:
            return None
        try:
            made = json.loads((folder / _MADE).read_text())
        except FileNotFoundError:  # it has just been started
            return None
        except ValueError:
            raise EmbeddedServerError(f"{folder / _MADE} is damaged; start the service again") from None
    return {str(name): str(value) for name, value in made.items()}
