"""Find the service that runs here, for commands that call it, or that work on its database and keys beside it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from deployments.settings import PREFIX, ConfigurationError, Settings, load
from serve_app.server_home import EmbeddedServerError, ServerHome, data_folder, told
from serve_app.service_client import ServiceClient, ServiceError
from serve_app.state import MachineState, Phase, read_state

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
    folder = data_folder(settings.data_dir)
    made = _made(folder)
    if made is None:
        msg = f"APP__DATABASE__URL: is not set, and {not_running(folder)}"
        raise ConfigurationError(msg)
    own = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    return load({**{name: value for name, value in made.items() if not _is_named(name, own)}, **own})


def service_client() -> ServiceClient:
    """Return a client of the service that runs here, which shows its key.

    Raises:
        ConfigurationError: A variable is wrong.
        EmbeddedServerError: The data folder is another user's.
        ServiceError: No service runs here.
    """
    settings = load()
    folder = data_folder(settings.data_dir)
    state = running_state(folder)
    if state is None:
        raise ServiceError(not_running(folder))
    return ServiceClient(state.facts["url"], _api_key(settings, state.facts.get("api_key_file")))


def running_state(folder: Path) -> MachineState | None:
    """Return what the supervisor that runs on a data folder knows; None if none does.

    Raises:
        EmbeddedServerError: The folder is another user's.
    """
    with told(folder):
        state = read_state(folder / "state.json")
    return None if state is None or state.phase is Phase.STOPPED else state


def not_running(folder: Path) -> str:
    """Say that no service runs on a data folder, and what helps."""
    return f"no service runs on {folder}; start it with `crypto-wallets up`, or name its folder with APP__DATA_DIR"


def _api_key(settings: Settings, made: str | None) -> str | None:
    if settings.server.api_key is not None:
        return settings.server.api_key.get_secret_value()
    if made is None:
        return None
    with told(Path(made)):
        return Path(made).read_text().strip()


def _is_named(name: str, own: Mapping[str, str]) -> bool:
    """Tell whether a variable is set, be it by the file that holds its value or by the value that a file would hold."""
    return any(each in own for each in (name, name.removesuffix(_FILE), name + _FILE))


def _made(folder: Path) -> Mapping[str, str] | None:
    """Return what `remember_made` has kept; None while nothing runs on the folder."""
    if running_state(folder) is None:
        return None
    with told(folder):
        try:
            made = json.loads((folder / _MADE).read_text())
        except FileNotFoundError:  # it has just been started
            return None
        except ValueError:
            raise EmbeddedServerError(f"{folder / _MADE} is damaged; start the service again") from None
    return {str(name): str(value) for name, value in made.items()}
