"""`python -m gateway.why ORDER_REF`: why an order exists, from its documents, in a few sentences.

Reads only. Needs MODE and GOOGLE_CLOUD_PROJECT as the gateway does, and Google credentials or
FIRESTORE_EMULATOR_HOST; never IB. Ends with 1 and one sentence when there is no such order.
"""

import asyncio
import sys
from collections.abc import Sequence
from functools import partial

from gateway.archive import Archive
from gateway.config import Config
from gateway.core.why import Evidence, crosses_of, story
from gateway.inspection import Unknown, ended, looked, parser_of
from gateway.ports import QueryStore
from gateway.store_rules import check_document_path
from schemas.documents import CLOSED_ORDERS, CrossDocument, OrderDocument, RunDocument, path_of

__all__ = ["Unknown", "crosses", "evidence", "main", "order_of"]


async def evidence(archive: Archive, order_ref: str) -> Evidence:
    """The documents about an order. Raises `Unknown`, `codec.Invalid`, what the store raises."""
    try:
        path = path_of(OrderDocument, mode=archive.mode, order_ref=order_ref)
        check_document_path(path)
    except ValueError:
        text = f"{order_ref!r} is no order reference; one looks like paper-756733-12"
        raise Unknown(text) from None
    order = await order_of(archive, order_ref)
    if order is None:
        raise Unknown(f"no order {order_ref}: there is no document {path}, nor orders/{order_ref}")
    run = await archive.read(RunDocument, path_of(RunDocument, run_id=order.run_id))
    return Evidence(order, run, await crosses(archive, crosses_of(order, run)))


async def order_of(archive: Archive, order_ref: str) -> OrderDocument | None:
    """An order, open or put away when its day was over; None where it is not kept."""
    path = path_of(OrderDocument, mode=archive.mode, order_ref=order_ref)
    return await archive.order(path) or await archive.order(CLOSED_ORDERS.at(order_ref=order_ref))


async def crosses(archive: Archive, cross_ids: Sequence[str]) -> tuple[CrossDocument, ...]:
    """The crosses of these ids that are kept."""
    paths = [path_of(CrossDocument, cross_id=cross_id) for cross_id in cross_ids]
    found = [await archive.read(CrossDocument, path) for path in paths]
    return tuple(one for one in found if one is not None)


async def _over_google(config: Config, store: QueryStore, order_ref: str) -> str:
    found = await evidence(Archive(store, config.mode), order_ref)
    return "\n".join(story(found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the story; the exit code is 0, 1 for an unknown order, 2 for a wrong environment."""
    parser = parser_of("gateway.why", __doc__)
    parser.add_argument("order_ref", help="as in the document's name, such as paper-756733-12")
    order_ref = parser.parse_args(arguments).order_ref

    def work() -> int:
        print(asyncio.run(looked(partial(_over_google, order_ref=order_ref))))
        return 0

    return ended("gateway.why", work)


if __name__ == "__main__":
    sys.exit(main())
