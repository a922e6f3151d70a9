"""A log that also rings: for a library that tells of a failure in its log and nowhere else."""

import logging
from collections.abc import Callable
from typing import Any


class Alarm(logging.LoggerAdapter[logging.Logger]):
    """The decoder's log, which is all that it gives a message that it cannot read."""

    def __init__(self, logger: logging.Logger, ring: Callable[[], None]) -> None:
        super().__init__(logger)
        self._ring = ring

    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log what could not be read, and ring."""
        super().exception(msg, *args, **kwargs)
        self._ring()
