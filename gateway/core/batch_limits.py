"""What one net, or one day, may not come to altogether: limits over all orders of a plan.

Reducing orders always pass, and count first [N6]. The increasing ones are taken by the priority of
their strategies, then smallest first; the first that breaks a bound and all behind it are refused,
so that a small order of low priority does not slip past a large one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from gateway.core import day
from gateway.core.candidate import is_increasing
from gateway.core.desk import Desk
from schemas.documents import OrderDocument, RefusalEntry, WantedChange
from schemas.values import Contract

CASH: Final = "CASH"
"""Security type of currency balances, which are no exposure."""

TARGETS_VANISHED: Final = "targets_vanished"


class Unmeasured(Exception):
    """A holding whose money cannot be told: a missing rate is never taken for 1 [M14]."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What orders come to. `values` is each contract's signed worth once they are filled."""

    values: Mapping[int, Decimal]
    orders_in_run: int = 0
    orders_in_day: int = 0
    turnover: Decimal = Decimal(0)

    @property
    def gross(self) -> Decimal:
        """The sum of what is held, shorts counted as positive."""
        return sum(map(abs, self.values.values()), Decimal(0))

    @property
    def net(self) -> Decimal:
        """What is held long less what is held short, unsigned."""
        return abs(sum(self.values.values(), Decimal(0)))


@dataclass(frozen=True, slots=True)
class Step:
    """One increasing order, with what the batch comes to before and after it."""

    desk: Desk
    order: OrderDocument
    before: Tally
    after: Tally


type Rule = Callable[[Step], RefusalEntry | None]


def refusals(desk: Desk, orders: Sequence[OrderDocument]) -> list[RefusalEntry]:
    """Which increasing orders of a plan may not be sent, by rank; none when all may."""
    ranked = sorted((o for o in orders if increasing(desk, o)), key=lambda o: _rank(desk, o))
    if not ranked:
        return []
    try:
        tally = _start(desk, [*ranked, *(o for o in orders if not increasing(desk, o))])
        for order in orders:
            tally = tally if increasing(desk, order) else _added(desk, tally, order)
        return _walked(desk, ranked, tally)
    except Unmeasured as error:
        value, bound = "unknown", "a price in the base currency"
        return [_entry(o, "exposure_gross", str(error), (value, bound)) for o in ranked]


def increasing(desk: Desk, order: OrderDocument) -> bool:
    """Whether an order takes the broker's position further from 0 [N6]."""
    return is_increasing(desk.position(order.contract.con_id), order.quantity)


def priority(desk: Desk, order: OrderDocument) -> int:
    """The highest among the strategies that an order is for; 0 for those nobody configured."""
    known = (desk.strategies.get(share.strategy) for share in order.allocations)
    return max((strategy.priority for strategy in known if strategy is not None), default=0)


def exposure_gross(step: Step) -> RefusalEntry | None:
    """No more held altogether than `exposure_gross_max` of net liquidation, EXTERNAL included."""
    return _over(
        step,
        "exposure_gross",
        step.after.gross,
        (step.desk.settings.exposure_gross_max, "the gross exposure"),
    )


def exposure_net(step: Step) -> RefusalEntry | None:
    """No more held on one side than `exposure_net_max` of net liquidation.

    An order that brings both sides nearer to each other passes.
    """
    if step.after.net <= step.before.net:
        return None
    return _over(
        step,
        "exposure_net",
        step.after.net,
        (step.desk.settings.exposure_net_max, "the net exposure"),
    )


def turnover_per_day(step: Step) -> RefusalEntry | None:
    """No more ordered in a day than `turnover_per_day_max` times net liquidation."""
    return _over(
        step,
        "turnover_per_day",
        step.after.turnover,
        (step.desk.settings.turnover_per_day_max, "the day's turnover"),
    )


def orders_per_run(step: Step) -> RefusalEntry | None:
    """No more orders of one net than `orders_per_run_max`."""
    bound, value = step.desk.settings.orders_per_run_max, step.after.orders_in_run
    if value <= bound:
        return None
    sentence = (
        f"{_what(step.order)} would be order {value} of this run, over orders_per_run_max {bound}; "
        f"look at the targets, or raise it"
    )
    return _entry(step.order, "orders_per_run", sentence, (f"{value}", f"{bound}"))


def orders_per_day(step: Step) -> RefusalEntry | None:
    """No more orders journaled in a day than `orders_per_day_max`."""
    bound, value = step.desk.settings.orders_per_day_max, step.after.orders_in_day
    if value <= bound:
        return None
    sentence = (
        f"{_what(step.order)} would be order {value} of the day, over orders_per_day_max {bound}; "
        f"wait for tomorrow, or raise it"
    )
    return _entry(step.order, "orders_per_day", sentence, (f"{value}", f"{bound}"))


LIMITS: Final[tuple[Rule, ...]] = (
    exposure_gross,
    exposure_net,
    orders_per_run,
    orders_per_day,
    turnover_per_day,
)
NAMES: Final = tuple(rule.__name__ for rule in LIMITS)
"""What an approved order was held against together with the others, for its document."""


def vanished(desk: Desk, wanted: Sequence[WantedChange], run_id: str) -> RefusalEntry | None:
    """Wishes that shrink too much at once look like a fault and wait for a person.

    One strategy alone may go flat, and a weight of 0 is a person's own word.
    """
    holders = {change.strategy for change in wanted if change.book}
    weighted = [change for change in wanted if _weighs(desk, change.strategy)]
    held = _worth(desk, ((c.con_id, c.book) for c in weighted))
    left = _worth(desk, ((c.con_id, c.effective_target) for c in weighted))
    bound = desk.settings.shrink_fraction_max
    if len(holders) < 2 or held - left <= bound * held:
        return None
    shrunk = (held - left) / held
    names = {c.strategy for c in weighted if abs(c.effective_target) < abs(c.book)}
    sentence = (
        f"the strategies' wishes would shrink from {held:.2f} to {left:.2f}, by {shrunk:.2f} of "
        f"what is held and over shrink_fraction_max {bound}; look at the strategies, then say "
        f"approve {run_id}"
    )
    return RefusalEntry(
        rule=TARGETS_VANISHED,
        sentence=sentence,
        strategies=tuple(sorted(names)),
        value=f"{shrunk:.2f}",
        bound=f"{bound}",
    )


def _weighs(desk: Desk, strategy: str) -> bool:
    configured = desk.strategies.get(strategy)
    return configured is None or configured.weight != 0


def _worth(desk: Desk, quantities: Iterable[tuple[int, Decimal]]) -> Decimal:
    """Unsigned; what has neither price nor cost counts as nothing, for it cannot be compared."""
    named = [t.contract for said in desk.targets.values() for t in said.targets]
    contracts = {c.con_id: c for c in named} | _contracts(desk, ())
    units = {con_id: _unit(desk, contract) for con_id, contract in contracts.items()}
    return sum((abs(q) * (units.get(con_id) or Decimal(0)) for con_id, q in quantities), Decimal(0))


def _walked(desk: Desk, ranked: Sequence[OrderDocument], tally: Tally) -> list[RefusalEntry]:
    found: list[RefusalEntry] = []
    for order in ranked:
        if found:
            found.append(_behind(order, found[0]))
            continue
        step = Step(desk, order, tally, _added(desk, tally, order))
        tally = step.after
        found.extend(_first(step))
    return found


def _first(step: Step) -> list[RefusalEntry]:
    """The first rule's refusal, if any."""
    answers = (rule(step) for rule in LIMITS)
    return [entry for entry in answers if entry is not None][:1]


def _start(desk: Desk, orders: Sequence[OrderDocument]) -> Tally:
    """What is held, or will be once the working orders are filled, and the day so far."""
    values = {}
    for con_id, contract in _contracts(desk, orders).items():
        quantity = desk.position(con_id) + _in_flight(desk, con_id)
        values[con_id] = quantity * _measured(desk, contract) if quantity else Decimal(0)
    status = desk.status
    known = (status.orders, status.turnover) if status else (0, Decimal(0))
    return Tally(values, 0, *known)


def _contracts(desk: Desk, orders: Sequence[OrderDocument]) -> dict[int, Contract]:
    booked = [p.contract for ledger in desk.ledgers.values() for p in ledger.positions.values()]
    held = [position.contract for position in desk.positions.values()]
    working = [order.contract for order in desk.orders.values() if order.state != "DONE"]
    ordered = [order.contract for order in orders]
    found = (*booked, *held, *working, *ordered)
    return {c.con_id: c for c in found if c.sec_type != CASH}


def _in_flight(desk: Desk, con_id: int) -> Decimal:
    working = desk.open_order(con_id)
    if working is None or abs(working.filled) >= abs(working.quantity):
        return Decimal(0)
    return working.quantity - working.filled


def _added(desk: Desk, tally: Tally, order: OrderDocument) -> Tally:
    con_id = order.contract.con_id
    value = tally.values.get(con_id, Decimal(0))
    moved = order.quantity * _measured(desk, order.contract)
    return replace(
        tally,
        values={**tally.values, con_id: value + moved},
        orders_in_run=tally.orders_in_run + 1,
        orders_in_day=tally.orders_in_day + 1,
        turnover=tally.turnover + day.worth(order),
    )


def _measured(desk: Desk, contract: Contract) -> Decimal:
    """What one of a contract is worth in the base currency. Raises `Unmeasured`."""
    base = desk.values.base_currency if desk.values else ""
    if contract.currency != base:
        raise Unmeasured(
            f"{contract.symbol} is held in {contract.currency} and the account is in "
            f"{base or 'nothing'}, so the exposure cannot be measured; close it"
        )
    unit = _unit(desk, contract)
    if unit is None:
        raise Unmeasured(
            f"{contract.symbol} has neither a price nor a cost, so the exposure cannot be "
            f"measured; say reconcile"
        )
    return unit


def _unit(desk: Desk, contract: Contract) -> Decimal | None:
    """By the reference price, else what the broker, else what the ledgers say it cost.

    A cost has the multiplier in it already.
    """
    price = desk.prices.get(contract.con_id)
    if price is not None and price.value > 0:
        return price.value * contract.multiplier
    position = desk.positions.get(contract.con_id)
    if position is not None:
        return abs(position.average_cost)
    booked = (ledger.positions.get(str(contract.con_id)) for ledger in desk.ledgers.values())
    costs = [abs(p.cost / p.quantity) for p in booked if p is not None and p.quantity]
    return max(costs, default=None)


def _rank(desk: Desk, order: OrderDocument) -> tuple[int, Decimal, str]:
    return -priority(desk, order), day.worth(order), order.order_ref


def _over(step: Step, rule: str, value: Decimal, limit: tuple[Decimal, str]) -> RefusalEntry | None:
    """Refused where a value is over a multiple of net liquidation."""
    multiple, name = limit
    equity = step.desk.values.net_liquidation if step.desk.values else Decimal(0)
    bound = multiple * equity
    if value <= bound:
        return None
    sentence = (
        f"{_what(step.order)} would bring {name} to {value:.2f}, over {bound:.2f}, which is "
        f"{rule}_max {multiple} of net liquidation; want less, or raise it"
    )
    return _entry(step.order, rule, sentence, (f"{value:.2f}", f"{bound:.2f}"))


def _behind(order: OrderDocument, full: RefusalEntry) -> RefusalEntry:
    sentence = f"{_what(order)} comes after {full.symbol}, for which {full.rule} does not reach"
    return _entry(order, full.rule, sentence, (full.value, full.bound))


def _what(order: OrderDocument) -> str:
    return f"{order.quantity:+f} {order.contract.symbol}"


def _entry(
    order: OrderDocument, rule: str, sentence: str, measured: tuple[str, str]
) -> RefusalEntry:
    return RefusalEntry(
        rule=rule,
        sentence=sentence,
        symbol=order.contract.symbol,
        con_id=order.contract.con_id,
        strategies=tuple(sorted(share.strategy for share in order.allocations)),
        value=measured[0],
        bound=measured[1],
    )
