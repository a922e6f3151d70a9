"""What one net, or one day, may not come to altogether: limits over all orders of a plan.

Reducing orders always pass, and count first [N6]. The increasing ones are taken by rank (`ranks`),
the smallest of equal priority first; the first that breaks a bound and all behind it are refused.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.core import day, holdings, wishes
from gateway.core.desk import Desk
from gateway.core.orders import in_flight
from gateway.core.ranks import behind, ranked, refused, what
from schemas.documents import OrderDocument, RefusalEntry, WantedChange
from schemas.values import CASH_TYPE, OWNERLESS, Contract

TARGETS_VANISHED: Final = "targets_vanished"


class Unmeasured(Exception):
    """A holding whose money cannot be told: a missing rate is never taken for 1 [M14]."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What all that is held comes to once some orders are filled, in the base currency.

    `gross` counts shorts as positive; `balance` is what is held long less what is held short.
    """

    gross: Decimal
    balance: Decimal
    orders_in_run: int = 0
    orders_in_day: int = 0
    turnover: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        """How much more is held on one side than on the other."""
        return abs(self.balance)


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
    by_rank = ranked(desk, (o for o in orders if not o.is_reducing), day.worth)
    if not by_rank:
        return []
    try:
        scales = _scales(desk, orders)
        tally = _start(scales)
        for order in orders:
            tally = scales.added(tally, order) if order.is_reducing else tally
        return _walked(scales, tally, by_rank)
    except Unmeasured as error:
        bound = "a price in the base currency"
        return [refused(o, "exposure_gross", str(error), "unknown", bound) for o in by_rank]


def exposure(desk: Desk) -> Tally:
    """What is held, or will be once the working orders are filled, and the day so far.

    Raises `Unmeasured`.
    """
    return _start(_scales(desk, ()))


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
    count, bound = step.after.orders_in_run, step.desk.settings.orders_per_run_max
    return _too_many(step, "orders_per_run", (count, bound), ("this run", "look at the targets"))


def orders_per_day(step: Step) -> RefusalEntry | None:
    """No more orders journaled in a day than `orders_per_day_max`."""
    count, bound = step.after.orders_in_day, step.desk.settings.orders_per_day_max
    return _too_many(step, "orders_per_day", (count, bound), ("the day", "wait for tomorrow"))


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

    One strategy alone may go flat. A weight of 0, `flatten`, `close_all` and `approve` are a
    person's own word, and what EXTERNAL holds was no strategy's wish.
    """
    holders = {c.strategy for c in wanted if c.book and c.strategy not in OWNERLESS}
    if len(holders) < 2:
        return None
    weighty = [change for change in wanted if _weighs(desk, change)]
    units = _units(desk, {change.con_id for change in weighty})
    held = sum((abs(c.book) * units[c.con_id] for c in weighty), Decimal(0))
    left = sum((abs(c.effective_target) * units[c.con_id] for c in weighty), Decimal(0))
    bound = desk.settings.shrink_fraction_max
    if held - left <= bound * held:
        return None
    shrunk = (held - left) / held
    names = {c.strategy for c in weighty if abs(c.effective_target) < abs(c.book)}
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


def _weighs(desk: Desk, change: WantedChange) -> bool:
    strategy = change.strategy
    if strategy in desk.closed or strategy in OWNERLESS or _is_approved(desk, change):
        return False
    configured = desk.strategies.get(strategy)
    return configured is None or (configured.weight != 0 and not configured.flatten)


def _is_approved(desk: Desk, change: WantedChange) -> bool:
    """Whether a person let this very wish shrink, which a dry run's answer is not.

    What was approved long ago and stays as it is still counts among what is held.
    """
    said = desk.targets.get(change.strategy)
    is_meant = said is not None and said.approved and said.message_id == change.message_id
    return is_meant and abs(change.effective_target) < abs(change.book)


def _units(desk: Desk, con_ids: Collection[int]) -> dict[int, Decimal]:
    """What one of each contract is worth in the base currency.

    What has neither price nor cost counts as nothing, for it cannot be compared.
    """
    said = desk.run.said if desk.run is not None else {}
    contracts = wishes.contracts(desk, said)
    found = {con_id: _unit(desk, contracts[con_id]) for con_id in con_ids}
    return {con_id: unit or Decimal(0) for con_id, unit in found.items()}


@dataclass(frozen=True, slots=True)
class _Scales:
    """What a net is weighed with: what is held before it, by conId, in the base currency.

    Looked up once a net: what each contract is worth once the orders that work already are filled.
    """

    desk: Desk
    worths: Mapping[int, Decimal]

    def added(self, tally: Tally, order: OrderDocument) -> Tally:
        """The tally with one more order; a plan has one in a contract at most [N5].

        Raises `Unmeasured`.
        """
        before = self.worths.get(order.contract.con_id, Decimal(0))
        moved = order.quantity * _measured(self.desk, order.contract)
        return Tally(
            gross=tally.gross - abs(before) + abs(before + moved),
            balance=tally.balance + moved,
            orders_in_run=tally.orders_in_run + 1,
            orders_in_day=tally.orders_in_day + 1,
            turnover=tally.turnover + day.worth(order),
        )


def _scales(desk: Desk, orders: Sequence[OrderDocument]) -> _Scales:
    """Raises `Unmeasured`. Currency balances are no exposure [B1]."""
    working, positions = holdings.open_orders(desk), holdings.positions(desk)
    named = (order.contract for order in (*working.values(), *orders))
    contracts = holdings.contracts(desk) | {c.con_id: c for c in named if c.sec_type != CASH_TYPE}
    quantities = {con_id: positions.get(con_id, Decimal(0)) for con_id in contracts}
    for con_id in contracts.keys() & working.keys():
        quantities[con_id] += in_flight(working[con_id])
    return _Scales(
        desk,
        {
            con_id: quantity * _measured(desk, contracts[con_id])
            for con_id, quantity in quantities.items()
            if quantity
        },
    )


def _start(scales: _Scales) -> Tally:
    """What is held before the net, and the day so far."""
    worths, status = scales.worths.values(), scales.desk.status
    gross, balance = sum(map(abs, worths), Decimal(0)), sum(worths, Decimal(0))
    if status is None:
        return Tally(gross, balance)
    return Tally(gross, balance, 0, status.orders, status.turnover)


def _walked(scales: _Scales, tally: Tally, by_rank: Sequence[OrderDocument]) -> list[RefusalEntry]:
    found: list[RefusalEntry] = []
    for order in by_rank:
        if found:
            found.append(behind(order, found[0]))
            continue
        step = Step(scales.desk, order, tally, scales.added(tally, order))
        tally = step.after
        found.extend(_first(step))
    return found


def _first(step: Step) -> list[RefusalEntry]:
    """The first rule's refusal, if any."""
    answers = (rule(step) for rule in LIMITS)
    return [entry for entry in answers if entry is not None][:1]


def _measured(desk: Desk, contract: Contract) -> Decimal:
    """What one of a contract is worth in the base currency. Raises `Unmeasured`."""
    if desk.rate(contract.currency) is None:
        base = desk.values.base_currency if desk.values else "nothing"
        raise Unmeasured(
            f"{contract.name} is held in {contract.currency}, the account is in {base} and the "
            f"broker tells no rate, so the exposure cannot be measured; say reconcile, or close it"
        )
    unit = _unit(desk, contract)
    if unit is None:
        raise Unmeasured(
            f"{contract.name} has neither a price nor a cost, so the exposure cannot be "
            f"measured; say reconcile"
        )
    return unit


def _unit(desk: Desk, contract: Contract) -> Decimal | None:
    """What one of a contract is worth in the base currency, or None if nobody can tell [M14]."""
    rate, cost = desk.rate(contract.currency), _price_or_cost(desk, contract)
    return None if rate is None or cost is None else cost * rate


def _price_or_cost(desk: Desk, contract: Contract) -> Decimal | None:
    """By the reference price, else what the broker, else what the ledgers say it cost.

    In the contract's currency. A cost has the multiplier in it already.
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


def _over(step: Step, rule: str, value: Decimal, limit: tuple[Decimal, str]) -> RefusalEntry | None:
    """Refused where a value is over a multiple of net liquidation."""
    multiple, name = limit
    equity = step.desk.values.net_liquidation if step.desk.values else Decimal(0)
    bound = multiple * equity
    if value <= bound:
        return None
    sentence = (
        f"{what(step.order)} would bring {name} to {value:.2f}, over {bound:.2f}, which is "
        f"{rule}_max {multiple} of net liquidation; want less, or raise it"
    )
    return refused(step.order, rule, sentence, f"{value:.2f}", f"{bound:.2f}")


def _too_many(
    step: Step, rule: str, counted: tuple[int, int], words: tuple[str, str]
) -> RefusalEntry | None:
    """Refused where a count of orders is over its bound."""
    (count, bound), (period, advice) = counted, words
    if count <= bound:
        return None
    sentence = (
        f"{what(step.order)} would be order {count} of {period}, over {rule}_max {bound}; "
        f"{advice}, or raise it"
    )
    return refused(step.order, rule, sentence, f"{count}", f"{bound}")
