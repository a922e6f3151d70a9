"""Who goes first where not all increasing orders can, and what is said to those behind.

By the priority of their strategies, then smallest first; the first for which something does not
reach and all behind it are refused, so that a small order of low priority does not slip past a
large one (behaviour 4.2).
"""

from collections.abc import Callable, Iterable
from decimal import Decimal

from gateway.core.desk import Desk
from schemas.documents import OrderDocument, RefusalEntry


def ranked(
    desk: Desk, orders: Iterable[OrderDocument], size: Callable[[OrderDocument], Decimal]
) -> list[OrderDocument]:
    """The orders, first come first served; `size` is what they use up."""
    return sorted(orders, key=lambda o: (-priority(desk, o), size(o), o.order_ref))


def priority(desk: Desk, order: OrderDocument) -> int:
    """The highest among the strategies that an order is for; 0 for those nobody configured."""
    known = (desk.strategies.get(share.strategy) for share in order.allocations)
    return max((strategy.priority for strategy in known if strategy is not None), default=0)


def refused(order: OrderDocument, rule: str, sentence: str, value: str, bound: str) -> RefusalEntry:
    """The refusal of a whole order, of all the strategies that it is for."""
    return RefusalEntry(
        rule=rule,
        sentence=sentence,
        symbol=order.contract.name,
        con_id=order.contract.con_id,
        strategies=tuple(sorted(share.strategy for share in order.allocations)),
        value=value,
        bound=bound,
    )


def behind(order: OrderDocument, full: RefusalEntry) -> RefusalEntry:
    """The refusal of an order because of the one before it that was refused."""
    sentence = (
        f"{what(order)} comes after {full.symbol}, for which {full.rule} does not reach; see there"
    )
    return refused(order, full.rule, sentence, full.value, full.bound)


def what(order: OrderDocument) -> str:
    """The order in a sentence: `+10 SPY`."""
    return f"{order.quantity:+f} {order.contract.name}"
