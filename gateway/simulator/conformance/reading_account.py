"""Cases about the account: values, positions, profit and loss, and that they agree."""

from decimal import Decimal, InvalidOperation

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Chapter, Differs
from gateway.simulator.conformance.talk import Messages, Talk

CHAPTER = Chapter("the account")
TAGS = "NetLiquidation,TotalCashValue,BuyingPower"
NET, CASH = "NetLiquidation", "CashBalance"
TOO_MANY, INVALID = 322, 321
CLOSE = Decimal("0.02")
"""Two looks at one account within seconds differ by less, of the whole."""
LEDGER = "$LEDGER-"
"""A setting of the gateway puts it before the keys of values by currency."""


async def _updates(talk: Talk) -> Messages:
    """The first complete set of account values and portfolio."""
    heard = await talk.ask(q.AccountUpdatesRequest(True, talk.account), end="AccountDownloadEnd")
    await talk.tell(q.AccountUpdatesRequest(False, talk.account))
    return heard


async def _summary(talk: Talk, tags: str) -> Messages:
    request = q.AccountSummaryRequest(talk.new_id(), "All", tags)
    heard = await talk.ask(request, end="AccountSummaryEnd")
    await talk.tell(q.AccountSummaryCancel(request.request_id))
    return heard


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Differs("a number", text) from None


@CHAPTER.case()
async def account_values_come_before_their_end(talk: Talk) -> None:
    """Account values, portfolio and time first, accountDownloadEnd once, last.

    Source: TWS API, account_updates.
    """
    heard = await _updates(talk)
    talk.check(heard.kinds.count("AccountDownloadEnd") == 1, "one end", heard)
    talk.check(bool(heard.of("AccountValue")), "values before the end", heard)
    talk.check(heard[-1].reply.account == talk.account, "the account in the end", "another")


@CHAPTER.case()
async def account_values_have_a_time(talk: Talk) -> None:
    """updateAccountTime tells hours and minutes of the values.

    Source: TWS API, EWrapper::updateAccountTime.
    """
    times = [item.reply.time for item in (await _updates(talk)).of("AccountTime")]
    talk.check(bool(times), "a time", "none")
    hours, _, minutes = times[-1].partition(":")
    talk.check(hours.isdecimal() and minutes.isdecimal(), "hh:mm", times[-1])


@CHAPTER.case()
async def account_values_are_told_by_currency_too(talk: Talk) -> None:
    """Balances come per currency, and as BASE in the account's own.

    Source: TWS API, account_updates; design/ib.md 4, D11.
    """
    rows = (await _updates(talk)).of("AccountValue").replies
    currencies = {row.currency for row in rows if row.key.removeprefix(LEDGER) == CASH}
    talk.check("BASE" in currencies and len(currencies) > 1, "BASE and others", currencies)


@CHAPTER.case()
async def key_and_currency_name_one_account_value(talk: Talk) -> None:
    """Within the first set no pair of key and currency comes with two values.

    Source: design/ib.md 4, D11; TWS API changelog of May 2026 (AccruedCash is the exception).
    """
    rows = (await _updates(talk)).of("AccountValue").replies
    seen: dict[tuple[str, str], str] = {}
    for row in rows:
        name = row.key, row.currency
        told = seen.setdefault(name, row.value)
        if row.key != "AccruedCash":
            talk.check(told == row.value, "one value per key and currency", row.key)


@CHAPTER.case()
async def a_new_subscription_begins_with_everything_again(talk: Talk) -> None:
    """Who ends and begins the updates gets a complete set again.

    Source: TWS API, account_updates.
    """
    first, second = await _updates(talk), await _updates(talk)
    keys = [{row.key for row in heard.of("AccountValue").replies} for heard in (first, second)]
    talk.check(NET in keys[1] and keys[0] == keys[1], "the same keys again", "others")


@CHAPTER.case()
async def updates_for_many_accounts_come_before_their_end(talk: Talk) -> None:
    """reqAccountUpdatesMulti: values with the request's id, then its end.

    Source: TWS API, account_updates (account and model).
    """
    request = q.AccountUpdatesMultiRequest(talk.new_id(), talk.account, "", False)
    heard = await talk.ask(request, end="AccountUpdateMultiEnd")
    await talk.tell(q.AccountUpdatesMultiCancel(request.request_id))
    keys = {row.key for row in heard.of("AccountUpdateMulti").replies}
    talk.check(NET in keys, "NetLiquidation among the values", heard)


@CHAPTER.case()
async def a_summary_has_the_tags_that_were_asked_for(talk: Talk) -> None:
    """Rows for the tags, then accountSummaryEnd.

    Source: TWS API, account_summary.
    """
    heard = await _summary(talk, TAGS)
    tags = {row.tag for row in heard.of("AccountSummary").replies}
    talk.check(tags == set(TAGS.split(",")), f"the tags {TAGS}", sorted(tags))


@CHAPTER.case()
async def a_summary_of_the_ledger_has_a_row_per_currency(talk: Talk) -> None:
    """The tag `$LEDGER:ALL` asks for balances by currency, BASE among them.

    Source: TWS API, account_summary ($LEDGER).
    """
    heard = await _summary(talk, "$LEDGER:ALL")
    rows = heard.of("AccountSummary").replies
    currencies = {row.currency for row in rows if row.tag.removeprefix(LEDGER) == CASH}
    talk.check("BASE" in currencies, "BASE among the currencies", sorted(currencies))


@CHAPTER.case()
async def a_third_summary_is_error_322(talk: Talk) -> None:
    """Two account summaries may be open at once.

    Source: TWS API, account_summary (only two active subscriptions); message_codes 322.
    """
    requests = [q.AccountSummaryRequest(talk.new_id(), "All", NET) for _ in range(3)]
    for request in requests[:2]:
        heard = await talk.ask(request, end="AccountSummaryEnd")
        talk.check(not heard.codes, "two summaries", heard)
    heard = await talk.ask(requests[2], end="AccountSummaryEnd")
    for request in requests[:2]:
        await talk.tell(q.AccountSummaryCancel(request.request_id))
    talk.check(heard.codes == [TOO_MANY], "error 322", heard)


@CHAPTER.case()
async def a_cancelled_summary_makes_room(talk: Talk) -> None:
    """After a cancel the next summary is served.

    Source: TWS API, account_summary (cancelAccountSummary).
    """
    for _ in range(4):
        heard = await _summary(talk, NET)
        talk.check(not heard.codes, "a summary", heard)


@CHAPTER.case()
async def positions_come_before_their_end(talk: Talk) -> None:
    """One message per position, then positionEnd; also where there is none.

    Source: TWS API, positions.
    """
    heard = await talk.ask(q.PositionsRequest(), end="PositionEnd")
    await talk.tell(q.PositionsCancel())
    rows = heard.of("Position").replies
    ids = [(row.account, row.contract.con_id) for row in rows]
    talk.check(len(set(ids)) == len(ids), "each contract once", "twice")
    talk.check(all(con_id for _, con_id in ids), "contracts with ids", "without")


@CHAPTER.case()
async def positions_of_one_account_come_before_their_end(talk: Talk) -> None:
    """reqPositionsMulti: rows with the request's id, then its end.

    Source: TWS API, positions (by model).
    """
    request = q.PositionsMultiRequest(talk.new_id(), talk.account, "")
    heard = await talk.ask(request, end="PositionMultiEnd")
    await talk.tell(q.PositionsMultiCancel(request.request_id))
    accounts = {row.account for row in heard.of("PositionMulti").replies}
    talk.check(accounts <= {talk.account}, "rows of this account", "others too")


@CHAPTER.case()
async def an_unknown_account_is_error_321(talk: Talk) -> None:
    """An account that the login has not is an invalid account code.

    Source: TWS API, message_codes 321.
    """
    request = q.AccountUpdatesMultiRequest(talk.new_id(), "DU0", "", False)
    heard = await talk.ask(request, end="AccountUpdateMultiEnd")
    talk.check(heard.codes == [INVALID], "error 321", heard)


@CHAPTER.case()
async def profit_and_loss_come_about_once_a_second(talk: Talk) -> None:
    """reqPnL answers with the day's, the unrealized and the realized profit of the account.

    Source: TWS API, pnl.
    """
    request = q.PnLRequest(talk.new_id(), talk.account, "")
    heard = await talk.ask(request, end="PnL")
    await talk.tell(q.PnLCancel(request.request_id))
    talk.check(bool(heard.of("PnL")), "a row", heard)


@CHAPTER.case()
async def summary_and_updates_agree(talk: Talk) -> None:
    """NetLiquidation is one number, however it is asked for.

    Source: TWS API, account_summary and account_updates tell the same account window.
    """
    rows = (await _summary(talk, NET)).of("AccountSummary").replies
    values = (await _updates(talk)).of("AccountValue").replies
    shown = [_number(row.value) for row in rows if row.tag == NET and row.account == talk.account]
    told = [_number(row.value) for row in values if row.key == NET]
    talk.check(bool(shown) and bool(told), "NetLiquidation on both ways", "not on both")
    talk.check(abs(shown[0] - told[-1]) <= abs(shown[0]) * CLOSE, "one number", "two")


@CHAPTER.case()
async def positions_and_portfolio_agree(talk: Talk) -> None:
    """The portfolio of account updates has the stocks that the positions have.

    Source: TWS API, positions and account_updates.
    """
    heard = await talk.ask(q.PositionsRequest(), end="PositionEnd")
    await talk.tell(q.PositionsCancel())
    held = _stocks(heard.of("Position"), talk.account)
    shown = _stocks((await _updates(talk)).of("PortfolioItem"), talk.account)
    talk.check(held == shown, "the same quantities", "others")
    talk.note("stocks held" if held else "no stock held")


def _stocks(rows: Messages, account: str) -> dict[int, Decimal]:
    return {
        row.contract.con_id: row.position
        for row in rows.replies
        if row.account == account and row.contract.security_type == "STK" and row.position
    }
