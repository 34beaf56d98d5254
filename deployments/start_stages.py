"""Time the start of a replica by stage: what a user waits for when load rises, or when a replica has died."""

import gc
import time
from collections.abc import Callable, Mapping

import psutil


class StartStages:
    """The stages of a start. `began` is when the process began, in seconds of `clock`.

    The first stage, `process`, ends when the deployment's constructor is called: until then Python, Ray, Serve and all our modules are
    imported. Serve's own part before that (its decision, and Ray's making of the process) is not seen from here.
    """

    def __init__(self, clock: Callable[[], float] = time.time, began: float | None = None) -> None:
        self._clock = clock
        self._last = psutil.Process().create_time() if began is None else began
        self._seconds: dict[str, float] = {}

    def ended(self, stage: str) -> None:
        """Note that a stage has ended, and the next one begins."""
        now = self._clock()
        self._seconds[stage] = now - self._last
        self._last = now

    @property
    def seconds(self) -> Mapping[str, float]:
        """How long each stage took, in order."""
        return dict(self._seconds)


def keep_what_was_started() -> None:
    """Take what the start has made, nearly all of which stays, out of what the garbage collector looks through.

    A full collection would go through the modules of Ray, Serve and ours each time: a tenth of a second in which nobody is answered.
    """
    gc.collect()
    gc.freeze()
