"""Show people what the supervisor does: a spinner with what is waited for on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.markup import escape

from serve_app.state import Phase
from serve_app.supervisor import Event

_STYLES = {Phase.READY: ("✓", "green"), Phase.RESTARTING: ("!", "yellow"), Phase.NOT_READY: ("!", "yellow")}


class Progress:
    """Takes the supervisor's events and writes to `console`; `titles` are the children's names for people."""

    def __init__(self, console: Console, titles: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._titles = titles
        self._clock = clock
        self._started: dict[str, float] = {}
        self._status = console.status("Starting")
        if console.is_terminal:
            self._status.start()

    def event(self, event: Event) -> None:
        """Show an event."""
        title = self._titles.get(event.name, event.name)
        if event.phase is Phase.STARTING:
            self._started[event.name] = self._clock()
            self._wait(f"Waiting for {title}")
        elif event.phase is Phase.READY:
            self._line(event.phase, f"{title} is ready{self._duration(event.name)}")
        elif event.phase is Phase.NOT_READY:
            self._line(event.phase, f"{title} does not answer")
        elif event.phase is Phase.RESTARTING:
            self._line(event.phase, event.detail)
        elif event.phase is Phase.STOPPING:
            self._status.start()
            self._wait(f"Ending {title}")
        elif event.detail:
            self.say(f"{title} was {event.detail}")

    def say(self, text: str) -> None:
        """Write a line."""
        self._console.print(f"  {escape(text)}", highlight=False)

    def settle(self) -> None:
        """End the spinner: nothing is waited for."""
        self._status.stop()

    def _wait(self, text: str) -> None:
        if self._console.is_terminal:
            self._status.update(escape(text))
        else:
            self.say(text)

    def _line(self, phase: Phase, text: str) -> None:
        sign, colour = _STYLES[phase]
        self._console.print(f"[{colour}]{sign}[/] {escape(text)}", highlight=False)

    def _duration(self, name: str) -> str:
        started = self._started.pop(name, None)
        return "" if started is None else f" ({self._clock() - started:.1f} s)"
