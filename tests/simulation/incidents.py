"""What the incident scenarios share: how an incident strikes, and what a person sees afterwards."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from gateway.simulator.faults import Faults
from infra.local.rig import MODE, Rig
from schemas.documents import LatchesDocument

type Inject = Callable[[Faults], object]


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident of another project: what struck there, and what must be seen here.

    `external` is what somebody's own hand holds at the end, beside what the strategies want.
    """

    source: str
    title: str
    inject: Inject
    external: int = 0

    @property
    def case_name(self) -> str:
        """The name of its case."""
        return f"{self.source} {self.title}".replace(" ", "_").replace("#", "_")


async def locks(rig: Rig) -> dict[str, str]:
    """The sentence of each lock, by symbol."""
    found = await rig.document(LatchesDocument, mode=MODE)
    return {lock.symbol: lock.reason for lock in found.locks.values()} if found else {}


async def latch(rig: Rig) -> str:
    """The rule of the latch that stands, or nothing."""
    found = await rig.document(LatchesDocument, mode=MODE)
    return found.reduce_only.rule if found is not None and found.reduce_only else ""


async def lose(rig: Rig, amount: int) -> None:
    """Somebody at TWS buys dear and sells for nothing."""
    exchange = rig.simulator.exchange
    exchange.trade_by_hand("QQQ", Decimal(100), Decimal(amount) / 100 + 1, rig.now)
    exchange.trade_by_hand("QQQ", Decimal(-100), Decimal(1), rig.now)


async def live_on(rig: Rig, name: str, steps: int) -> None:
    """Ten seconds a step, with a reconcile after each."""
    for step in range(steps):
        await rig.advance(seconds=10)
        await rig.command("reconcile", f"{name}-{step}")


async def wanted_by_two(rig: Rig) -> None:
    """One strategy wants 10 SPY, another -4: a cross of 4 and an order of 6."""
    await rig.say("alpha", SPY=10)
    await rig.say("beta", SPY=-4)
    await rig.settled_before_coalescing()
    await rig.advance(seconds=3)


async def strike_and_recover(rig: Rig, inject: Inject) -> None:
    """Two strategies trade while it strikes; then it is over, and they are netted twice more."""
    inject(rig.simulator.faults)
    await wanted_by_two(rig)
    await live_on(rig, "struck", 2)
    assert rig.simulator.faults.log, "the incident never struck"
    rig.simulator.faults.clear()
    await live_on(rig, "over", 2)
    for again in range(2):
        await rig.command("allocate", f"again-{again}")
        await live_on(rig, f"after-{again}", 1)


async def no_order_is_there_twice(rig: Rig) -> None:
    """Every order at the broker is journaled here, under a reference of its own, and no larger."""
    record = rig.simulator.exchange.orders.record
    journaled = await rig.orders()
    placed: dict[int, str] = {order.perm_id: order.terms.order_ref for order in record.done}
    placed |= {order.perm_id: order.terms.order_ref for order in record.working}
    refs = Counter(ref for ref in placed.values() if ref.startswith(f"{MODE}-"))
    assert set(refs.values()) <= {1}, f"placed more than once: {refs}"
    assert set(refs) <= set(journaled), "an order without a journal entry"
    for order in journaled.values():
        assert abs(order.filled) <= abs(order.quantity)


async def all_is_as_wanted(rig: Rig, external: int = 0) -> None:
    """10 SPY and -4 SPY in their books, the sum at the broker, no lock, nothing sent twice."""
    hand = {"SPY": Decimal(external)} if external else {}
    total = {"SPY": Decimal(6 + external)}
    assert await locks(rig) == {}
    assert rig.simulator.exchange.positions == total
    assert await rig.held() == total
    assert await rig.book("alpha") == {"SPY": 10}
    assert await rig.book("beta") == {"SPY": -4}
    assert await rig.book("EXTERNAL") == hand
    orders = (await rig.orders()).values()
    assert sum(order.filled for order in orders) == 6
    await no_order_is_there_twice(rig)


async def until_partly_filled(rig: Rig) -> None:
    """Move the clock second by second until an order has traded, and not all of it."""
    for _ in range(20):
        orders = (await rig.orders()).values()
        if any(order.filled and order.state != "DONE" for order in orders):
            return
        await rig.advance(seconds=1)
        await rig.settled()
    raise AssertionError("no order was ever partly filled")
