"""All functions over HTTP, served by functions-framework, all on one loopback port.

`python -m infra.local.functions_server` prints one line with the port. Each function is the
framework's own application under its name: `/{entry_point}/projects/{project}/topics/{topic}`.
"""

import logging
import re
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final

import functions_framework
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from functions import main as entry_points
from functions.registry import STRATEGIES, WATCHERS, load

LISTENS: Final = re.compile(r"functions listen on 127\.0\.0\.1:(\d+)")


def application() -> DispatcherMiddleware:
    """One application per entry point, each loaded by the framework from its source file."""
    source = str(Path(entry_points.__file__))
    mounts = {
        f"/{name}": functions_framework.create_app(name, source, "cloudevent")  # type: ignore[no-untyped-call]
        for name in (*STRATEGIES, *WATCHERS)
    }
    return DispatcherMiddleware(NotFound(), mounts)


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    for name in STRATEGIES:
        load(name)
    server = make_server("127.0.0.1", 0, application(), threaded=True)

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    print(f"functions listen on 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
