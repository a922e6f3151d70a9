"""Looking at a mode's documents from the command line: what the commands that only read share.

`gateway.doctor`, `gateway.status`, `gateway.replay_log` and `gateway.why` need MODE and
GOOGLE_CLOUD_PROJECT as the gateway does, and Google credentials or FIRESTORE_EMULATOR_HOST.
"""

import argparse
import os
import sys
from collections.abc import Awaitable, Callable

from gateway.config import Config, Misconfigured, from_environment
from gateway.ports import Denied, QueryStore, Unavailable
from gateway.store import GoogleStore
from schemas import codec


class Unknown(Exception):
    """There is no such thing; the text says where it was looked for."""


def parser_of(program: str, says: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the module's own text, line by line."""
    raw = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(f"python -m {program}", description=says, formatter_class=raw)


async def looked[T](look: Callable[[Config, QueryStore], Awaitable[T]]) -> T:
    """What `look` makes of Google's Firestore, by this process's environment."""
    config = from_environment(os.environ)
    store = GoogleStore(config.google_cloud_project)
    try:
        return await look(config, store)
    finally:
        await store.close()


def ended(program: str, work: Callable[[], int]) -> int:
    """The exit code of `work`: its own, 1 for what cannot be told, 2 for a wrong environment."""
    try:
        return work()
    except Misconfigured as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except (Unknown, Denied, Unavailable, codec.Invalid) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
