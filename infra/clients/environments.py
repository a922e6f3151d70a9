"""The clients that play the script, each in an environment of its own: several share module names.

`bin/setup-clients NAME` makes `.venv-NAME` from `requirements/client-NAME.txt`; ib_async lives in
our own environment. Nothing of ours imports a client but its driver.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).parent


class NoEnvironment(Exception):
    """A client's environment cannot be made here; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client that no one here wrote.

    `quick` ones are played by `make test`, all of them by `make test-clients`.
    """

    name: str
    package: str
    driver: str
    quick: bool = False

    @property
    def program(self) -> Path:
        """The driver."""
        return HERE / self.driver

    def python(self) -> Path:
        """The Python of its environment, made or brought up to date. Raises `NoEnvironment`."""
        if self.name == OURS:
            return Path(sys.executable)
        name = self.name.replace("_", "-")
        made = subprocess.run(
            [ROOT / "bin" / "setup-clients", name], capture_output=True, text=True
        )
        if made.returncode:
            lines = made.stderr.strip().splitlines() or ["bin/setup-clients failed"]
            raise NoEnvironment(f"{self.package} cannot be installed: {lines[-1]}")
        return ROOT / f".venv-{name}" / "bin" / "python"


OURS: Final = "ib_async"
CLIENTS: Final = {
    client.name: client
    for client in (
        Client("ib_async", "ib_async 2.1.0", "drive_async.py", quick=True),
        Client("ib_insync", "ib_insync 0.9.86", "drive_async.py"),
        Client("ibapi", "ibapi 9.81.1.post1", "drive_ibapi.py", quick=True),
        Client("ibapi_latest", "ibapi-latest 10.51.1", "drive_ibapi.py"),
        Client("nautilus", "nautilus_trader 1.231.0", "drive_nautilus.py"),
    )
}
"""All clients, in the order of the table."""
