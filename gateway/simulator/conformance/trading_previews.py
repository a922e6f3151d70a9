"""Trading cases: what-if orders. They are questions, and nothing may come of them."""

from decimal import Decimal

from gateway.simulator import replies as r
from gateway.simulator.conformance.case import Chapter, Kind, Need
from gateway.simulator.conformance.trading_floor import Floor, trading
from gateway.simulator.orders.orders import OrderState

chapter = Chapter("trading: what-if", Kind.TRADE)
OPEN = Need.OPEN_MARKET
CENT = Decimal("0.02")


async def preview(floor: Floor, **terms: object) -> OrderState:
    """The state in the openOrder that answers a what-if order, once it has margins.

    The first answer may carry unset values, the next one the real ones (ib.md 4, F17).
    """
    order = await floor.rest(what_if=True, **terms)

    def answers() -> list[r.OpenOrder]:
        return [item for item in order.opens if item.state.change.initial is not None]

    await floor.wait(lambda: bool(answers()))
    floor.check(bool(answers()), "openOrder with margins", order)
    return answers()[-1].state


@trading(chapter)
async def a_preview_tells_the_margins(floor: Floor) -> None:
    """The margins before, after, and their change, for initial and maintenance, are all told.

    Source: interactivebrokers.github.io/tws-api/margin.html
    """
    state = await preview(floor)
    for margin in (state.before, state.change, state.after):
        told = None not in (margin.initial, margin.maintenance, margin.equity_with_loan)
        floor.check(told, "three margin numbers", str(margin))


@trading(chapter)
async def a_preview_adds_up(floor: Floor) -> None:
    """Before and change are together after.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1OrderState.html
    """
    state = await preview(floor)
    for name in ("initial", "maintenance", "equity_with_loan"):
        before, change, after = (
            getattr(margin, name) or Decimal(0)
            for margin in (state.before, state.change, state.after)
        )
        floor.check(abs(before + change - after) < CENT, f"{name} {before + change}", after)


@trading(chapter)
async def a_preview_tells_the_commission(floor: Floor) -> None:
    """The commission, or the range in which it will be, and its currency.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1OrderState.html, Commission,
    MinCommission, MaxCommission
    """
    state = await preview(floor)
    known = [state.commission, state.commission_min, state.commission_max]
    floor.check(any(item is not None for item in known), "a commission", str(known))
    floor.check(bool(state.commission_currency), "its currency", state.commission_currency)


@trading(chapter)
async def a_preview_places_nothing(floor: Floor) -> None:
    """A what-if order is not among the open ones, has no execution, and moves no position.

    Source: interactivebrokers.github.io/tws-api/margin.html: instead of sending the order to a
    destination the server checks the margin
    """
    before = await floor.position()
    order = await floor.buy(what_if=True)
    await floor.wait(lambda: bool(order.opens))
    await floor.quiet()
    floor.check(not order.shares, "no execution", order)
    listed = await floor.is_open(order) or await floor.is_open(order, everybody=True)
    floor.check(not listed, "no open order", order)
    after = await floor.position()
    floor.check(after == before, f"a position of {before}", after)


@trading(chapter)
async def a_preview_needs_no_id_of_its_own(floor: Floor) -> None:
    """After a what-if order an order can be placed, under the next id.

    Source: interactivebrokers.github.io/tws-api/margin.html
    """
    await preview(floor)
    order = await floor.rest()
    await floor.works(order)


@trading(chapter, OPEN)
async def a_preview_of_a_sale_of_what_is_held_frees_margin(floor: Floor) -> None:
    """Selling a share that is held does not raise the initial margin.

    Source: interactivebrokers.github.io/tws-api/margin.html
    """
    if await floor.position() < 0:
        floor.talk.note("the account is short of the symbol")
        return
    await floor.bought()
    state = await preview(floor, action="SELL", limit_price=await floor.above())
    change = state.change.initial or Decimal(0)
    floor.check(change <= 0, "no more initial margin", change)
