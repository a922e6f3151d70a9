"""Trading cases: what a fill does to the account, as the account tells it."""

from decimal import Decimal

from gateway.simulator import replies as r
from gateway.simulator.conformance.case import Chapter, Kind, Need
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.conformance.trading_floor import SHARE, Floor, trading

chapter = Chapter("trading: the account", Kind.TRADE)
OPEN = Need.OPEN_MARKET
DOLLAR = Decimal(1)


@trading(chapter, OPEN)
async def the_position_moves_by_the_fill(floor: Floor) -> None:
    """After a purchase of one share reqPositions tells one share more.

    Source: interactivebrokers.github.io/tws-api/positions.html
    """
    before = await floor.position()
    await floor.bought()
    after = await floor.position_of(before + SHARE)
    floor.check(after == before + SHARE, f"a position of {before + SHARE}", after)


@trading(chapter, OPEN)
async def an_order_trades_once(floor: Floor) -> None:
    """No more than the order's quantity trades, also a while later.

    Source: interactivebrokers.github.io/tws-api/order_submission.html
    """
    before = await floor.position()
    order = await floor.bought()
    await floor.quiet(2.5)
    floor.check(order.shares == SHARE, "one share traded", order)
    after = await floor.position_of(before + SHARE)
    floor.check(after == before + SHARE, f"a position of {before + SHARE}", after)


@trading(chapter, OPEN)
async def a_sale_takes_back_what_was_bought(floor: Floor) -> None:
    """Two opposite orders leave the position as it was; the sale's execution says SLD.

    Source: interactivebrokers.github.io/tws-api/classIBApi_1_1Execution.html, Side
    """
    before = await floor.position()
    await floor.bought()
    sale = await floor.bought(action="SELL")
    sides = {item.execution.side for item in sale.executions}
    floor.check(sides == {"SLD"}, "side SLD", sale)
    after = await floor.position_of(before)
    floor.check(after == before, f"a position of {before}", after)


@trading(chapter, OPEN)
async def the_portfolio_moves_by_the_fill(floor: Floor) -> None:
    """updatePortfolio tells the new position of the contract, without being asked again.

    Source: interactivebrokers.github.io/tws-api/account_updates.html: on a change of position, and
    else every three minutes
    """
    wanted = await floor.position() + SHARE
    order = await floor.buy()

    def moved(item: Heard) -> bool:
        return _of_contract(floor, item) and item.reply.position == wanted

    await floor.account_updates(moved)
    floor.check(order.is_filled, "a fill", order)


@trading(chapter, OPEN)
async def the_portfolio_agrees_with_the_positions(floor: Floor) -> None:
    """reqAccountUpdates and reqPositions tell the same position of the contract.

    Source: interactivebrokers.github.io/tws-api/account_updates.html; .../positions.html
    """
    before = await floor.position()
    await floor.bought()
    held = await floor.position_of(before + SHARE)
    told = await floor.account_updates(lambda item: item.kind == "AccountDownloadEnd")
    mine = [item.reply.position for item in told if _of_contract(floor, item)]
    floor.check((mine or [Decimal(0)])[-1] == held, f"a position of {held}", mine)


@trading(chapter, OPEN)
async def the_cash_moves_by_the_fill(floor: Floor) -> None:
    """A purchase takes the price and the commission out of the cash.

    Source: interactivebrokers.github.io/tws-api/account_updates.html, TotalCashBalance
    """
    before = await _cash(floor)
    order = await floor.bought()
    paid = sum(
        (item.execution.quantity * item.execution.price for item in order.executions), DOLLAR
    )
    after = await _cash(floor, below=before - paid / 2)
    floor.check(abs(before - paid - after) < paid / 100, f"about {paid:.0f} less", before - after)


async def _cash(floor: Floor, below: Decimal | None = None) -> Decimal:
    """The cash in the contract's currency, once it is below a bound if one is given."""
    currency = floor.talk.contract.currency
    values: list[Decimal] = []

    def last(item: Heard) -> bool:
        reply = item.reply
        if isinstance(reply, r.AccountValue) and reply.key == "CashBalance":
            values.extend([Decimal(reply.value)] if reply.currency == currency else [])
        is_told = item.kind == "AccountDownloadEnd" or below is not None
        return is_told and bool(values) and (below is None or values[-1] < below)

    await floor.account_updates(last)
    return values[-1]


def _of_contract(floor: Floor, item: Heard) -> bool:
    is_row = isinstance(item.reply, r.PortfolioItem)
    return is_row and item.reply.contract.con_id == floor.talk.contract.con_id
