"""`python -m gateway.why ORDER_REF`: why an order exists, from its documents, in a few sentences.

Reads only. Needs MODE and GOOGLE_CLOUD_PROJECT as the gateway does, and Google credentials or
FIRESTORE_EMULATOR_HOST; never IB. Ends with 1 and one sentence when there is no such order.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from gateway.archive import Archive
from gateway.config import Misconfigured, from_environment
from gateway.core.why import Evidence, crosses_of, story
from gateway.ports import Unavailable
from gateway.store import GoogleStore
from schemas import codec
from schemas.documents import CrossDocument, OrderDocument, RunDocument, path_of


class Unknown(Exception):
    """There is no such order; the text says where it was looked for."""


async def evidence(archive: Archive, order_ref: str) -> Evidence:
    """The documents about an order. Raises `Unknown`, `codec.Invalid`, what the store raises."""
    try:
        path = path_of(OrderDocument, mode=archive.mode, order_ref=order_ref)
    except ValueError:
        text = f"{order_ref!r} is no order reference; one looks like paper-756733-12"
        raise Unknown(text) from None
    order = await archive.read(OrderDocument, path)
    if order is None:
        raise Unknown(f"no order {order_ref}: there is no document {path}")
    run = await archive.read(RunDocument, path_of(RunDocument, run_id=order.run_id))
    ids = crosses_of(order, run)
    paths = [path_of(CrossDocument, cross_id=cross_id) for cross_id in ids]
    crosses = [await archive.read(CrossDocument, path) for path in paths]
    return Evidence(order, run, tuple(c for c in crosses if c is not None))


async def told(order_ref: str) -> str:
    """The story over Google's Firestore, as text."""
    config = from_environment(os.environ)
    store = GoogleStore(config.google_cloud_project)
    try:
        found = await evidence(Archive(store, config.mode), order_ref)
    finally:
        await store.close()
    return "\n".join(story(found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the story; the exit code is 0, 1 for an unknown order, 2 for a wrong environment."""
    parser = argparse.ArgumentParser(prog="python -m gateway.why", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("order_ref", help="as in the document's name, such as paper-756733-12")
    order_ref = parser.parse_args(arguments).order_ref
    try:
        print(asyncio.run(told(order_ref)))
    except Misconfigured as error:
        print(f"gateway.why: {error}", file=sys.stderr)
        return 2
    except (Unknown, Unavailable, codec.Invalid) as error:
        print(f"gateway.why: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
