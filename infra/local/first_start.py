"""`python -m infra.local.first_start`: topics and first documents, on the emulators only.

For whoever starts the parts by other means than `make up`, such as infra/compose: in the cloud
Terraform makes the topics and `infra.config init` the documents. Needs PUBSUB_EMULATOR_HOST,
FIRESTORE_EMULATOR_HOST, GOOGLE_CLOUD_PROJECT and MODE; PUSH_URL says where the functions listen,
`{function}` in it is each one's name. What exists stays; trading starts halted.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from google.api_core.exceptions import RetryError, ServiceUnavailable

from functions.registry import specs
from gateway.config import Misconfigured, mode_and_project
from gateway.ports import Unavailable
from gateway.store import GoogleStore
from infra.init import create_missing
from infra.local.provision import apply
from infra.topology import topology

START_SECONDS: Final = 120.0
"""Real seconds for the emulators to start: a small machine needs a while for Java."""

PAUSE_SECONDS: Final = 1.0


async def start(environment: Mapping[str, str]) -> tuple[int, tuple[str, ...]]:
    """Make what is missing; how many subscriptions there are, and the documents that were made.

    Raises `Misconfigured`, and what the emulators answer.
    """
    for name in ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"):
        if not environment.get(name):
            raise Misconfigured(f"{name} must be set: this is for the emulators only")
    mode, project = mode_and_project(environment)
    wanted = topology(mode, specs())
    host, push_url = environment["PUBSUB_EMULATOR_HOST"], environment.get("PUSH_URL") or None
    await _patiently(lambda: apply(wanted, host, project, push_url))
    store = GoogleStore(project)
    try:
        created = await _patiently(lambda: create_missing(store, mode, specs()))
    finally:
        await store.close()
    return len(wanted.subscriptions), created


async def _patiently[T](work: Callable[[], Awaitable[T]]) -> T:
    """Do it, again and again while the emulators start."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return await work()
        except (RetryError, ServiceUnavailable, Unavailable):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(PAUSE_SECONDS)


def main() -> int:
    """Make it, and say what was made."""
    try:
        count, created = asyncio.run(start(os.environ))
    except (Misconfigured, RetryError, ServiceUnavailable, Unavailable) as error:
        print(f"infra.local.first_start: {error}", file=sys.stderr)
        return 2 if isinstance(error, Misconfigured) else 1
    print(f"{count} subscriptions are there; documents made: {', '.join(created) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
