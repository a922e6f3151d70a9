"""Cases about contracts: details and how they are found, symbol search, market rules."""

from dataclasses import replace

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Chapter, Differs
from gateway.simulator.conformance.survey import is_within
from gateway.simulator.conformance.talk import Messages, Talk
from gateway.simulator.market.contracts import Contract
from gateway.simulator.replies import ContractDetails

CHAPTER = Chapter("contracts")
UNKNOWN_SYMBOL = "QZXQZX"
UNKNOWN_CON_ID = 2_147_483_000
UNKNOWN_RULE = 987_654
NO_DEFINITION = 200
EUR_USD = Contract(symbol="EUR", security_type="CASH", exchange="IDEALPRO", currency="USD")
FUTURES = Contract(symbol="ES", security_type="FUT", exchange="CME", currency="USD")


async def _asked(talk: Talk, contract: Contract) -> Messages:
    request = q.ContractDetailsRequest(talk.new_id(), contract)
    return await talk.ask(request, end="ContractDetailsEnd")


async def _only(talk: Talk, contract: Contract) -> ContractDetails:
    heard = await _asked(talk, contract)
    talk.check(not await talk.after(heard, 0.5), "one answer", "more after its end")
    kinds = heard.kinds
    talk.check(kinds == ["ContractDetails", "ContractDetailsEnd"], "one contract, the end", heard)
    found: ContractDetails = heard[0].reply
    return found


@CHAPTER.case()
async def a_contract_comes_before_its_end(talk: Talk) -> None:
    """Details of each match, then contractDetailsEnd, all with the id of the request.

    Source: TWS API, contract_details.
    """
    details = await _only(talk, replace(talk.contract, con_id=0, local_symbol="", trading_class=""))
    talk.check(details.contract.con_id == talk.contract.con_id, "its contract id", "another")


@CHAPTER.case()
async def a_contract_id_and_an_exchange_are_enough(talk: Talk) -> None:
    """conId names a contract, the exchange its route.

    Source: TWS API, basic_contracts.
    """
    details = await _only(talk, Contract(con_id=talk.contract.con_id, exchange="SMART"))
    talk.check(details.contract.symbol == talk.contract.symbol, "its symbol", "another")


@CHAPTER.case()
async def a_stock_is_found_by_its_local_symbol(talk: Talk) -> None:
    """localSymbol is the exchange's name of a contract, and may stand without the symbol.

    Source: TWS API, basic_contracts; design/ib.md 1.3 (NautilusTrader asks so).
    """
    wanted = Contract(
        local_symbol=talk.contract.local_symbol,
        security_type="STK",
        exchange="SMART",
        currency="USD",
    )
    details = await _only(talk, wanted)
    talk.check(details.contract.con_id == talk.contract.con_id, "its contract id", "another")


@CHAPTER.case()
async def a_pair_is_found_by_its_two_currencies(talk: Talk) -> None:
    """A pair's symbol is the currency that is traded, its currency the one that is paid.

    Source: TWS API, basic_contracts (CASH at IDEALPRO).
    """
    details = await _only(talk, EUR_USD)
    found = details.contract
    talk.check(
        (found.local_symbol, found.security_type) == ("EUR.USD", "CASH"), "EUR.USD", found.symbol
    )


@CHAPTER.case()
async def a_loose_description_of_a_future_has_several_contracts(talk: Talk) -> None:
    """Whoever names no month gets every month, then one end.

    Source: TWS API, contract_details: all contracts that match.
    """
    heard = await _asked(talk, FUTURES)
    months = [details.contract.expiry for details in heard.of("ContractDetails").replies]
    talk.check(len(months) > 1, "several contracts", heard)
    talk.check(len(set(months)) == len(months), "different months", "the same again")
    talk.check(heard.kinds.count("ContractDetailsEnd") == 1, "one end", heard)


@CHAPTER.case()
async def an_unknown_symbol_is_error_200_without_an_end(talk: Talk) -> None:
    """No definition found: the error, with the request's id, is the whole answer.

    Source: TWS API, message_codes 200; design/ib.md 1.5.
    """
    await _refused(talk, replace(EUR_USD, symbol=UNKNOWN_SYMBOL, security_type="STK"))


@CHAPTER.case()
async def an_unknown_contract_id_is_error_200(talk: Talk) -> None:
    """No definition found by an id that nobody has.

    Source: TWS API, message_codes 200.
    """
    await _refused(talk, Contract(con_id=UNKNOWN_CON_ID, exchange="SMART"))


@CHAPTER.case()
async def an_expired_future_is_not_found_unless_asked_for(talk: Talk) -> None:
    """Only with includeExpired are contracts of the past found.

    Source: TWS API, Contract::IncludeExpired.
    """
    await _refused(talk, replace(FUTURES, expiry="201903"))


@CHAPTER.case()
async def details_tell_a_tick_and_a_market_rule_for_each_exchange(talk: Talk) -> None:
    """marketRuleIds are as many as validExchanges, in the same order; minTick is above 0.

    Source: TWS API, minimum_increment.
    """
    details = await _only(talk, talk.contract)
    rules, exchanges = details.market_rules.split(","), details.valid_exchanges.split(",")
    talk.check(details.tick > 0, "a tick above 0", str(details.tick))
    talk.check(
        len(rules) == len(exchanges),
        "as many rules as exchanges",
        f"{len(rules)} rules, {len(exchanges)} exchanges",
    )
    talk.check("SMART" in exchanges, "SMART among the exchanges", details.valid_exchanges)


@CHAPTER.case()
async def details_tell_hours_in_a_zone_that_has_a_name(talk: Talk) -> None:
    """Liquid and trading hours are sessions with dates, in the zone timeZoneId names.

    Source: TWS API, ContractDetails::TradingHours (from TWS 970: yyyymmdd:hhmm-yyyymmdd:hhmm).
    """
    details = await _only(talk, talk.contract)
    now = talk.facts.now
    try:
        if now is not None:
            liquid = is_within(details.liquid_hours, details.time_zone, now)
            trading = is_within(details.trading_hours, details.time_zone, now)
            talk.check(trading or not liquid, "liquid hours within trading hours", "outside")
    except (ValueError, KeyError, OSError):
        raise Differs("hours and a zone that can be read", details.liquid_hours) from None
    talk.note(f"zone {details.time_zone}")


@CHAPTER.case()
async def details_tell_the_order_types_that_may_be_used(talk: Talk) -> None:
    """orderTypes is a list with at least LMT and MKT for a stock.

    Source: TWS API, ContractDetails::OrderTypes.
    """
    details = await _only(talk, talk.contract)
    types = details.order_types.split(",")
    talk.check({"LMT", "MKT"} <= set(types), "LMT and MKT among them", details.order_types)


@CHAPTER.case()
async def a_symbol_search_finds_the_symbol(talk: Talk) -> None:
    """reqMatchingSymbols answers with one message of matches, at most 16.

    Source: TWS API, matching_symbols.
    """
    request = q.MatchingSymbolsRequest(talk.new_id(), talk.setting.symbol)
    heard = await talk.ask(request, end="SymbolSamples")
    samples = heard[-1].reply.samples
    con_ids = [sample.con_id for sample in samples]
    talk.check(talk.contract.con_id in con_ids, "the symbol among the matches", "others")
    talk.check(len(samples) <= 16, "at most 16 matches", f"{len(samples)}")


@CHAPTER.case()
async def a_market_rule_begins_at_0_and_rises(talk: Talk) -> None:
    """reqMarketRule has no id: the answer names the rule, its price increments by low edge.

    Source: TWS API, minimum_increment; design/ib.md 1.3.
    """
    details = await _only(talk, talk.contract)
    rule = int(details.market_rules.split(",")[0])
    heard = await talk.ask(q.MarketRuleRequest(rule), end="MarketRule")
    found = heard.of("MarketRule")[-1].reply
    edges = [step.low_edge for step in found.increments]
    talk.check(found.rule_id == rule, "the rule that was asked for", "another")
    talk.check(bool(edges) and edges[0] == 0, "a first edge of 0", str(edges[:1]))
    talk.check(edges == sorted(edges), "edges that rise", str(edges))
    talk.check(all(step.increment > 0 for step in found.increments), "increments above 0", "none")


@CHAPTER.case()
async def an_unknown_market_rule_is_an_error_without_an_id(talk: Talk) -> None:
    """The request has no id, so its error has none either.

    Source: design/ib.md 1.3; IB's code is not documented.
    """
    since = await talk.tell(q.MarketRuleRequest(UNKNOWN_RULE))
    with talk.expecting("an error with the id -1"):
        notice = await talk.client.until(
            lambda item: bool(item.code) and item.code not in range(2100, 2200), since=since
        )
    talk.check(notice.id == -1, "the id -1", str(notice.id))
    talk.note(f"Notice {notice.code}")


@CHAPTER.case()
async def option_chains_of_an_underlying_come_before_their_end(talk: Talk) -> None:
    """reqSecDefOptParams answers with a row for each exchange and class, then the end.

    Source: TWS API, options: securityDefinitionOptionParameter.
    """
    request = q.OptionParametersRequest(
        talk.new_id(), talk.contract.symbol, "", "STK", talk.contract.con_id
    )
    heard = await talk.ask(request, end="OptionParametersEnd")
    talk.check(bool(heard.of("OptionParameters")), "a chain before the end", heard)


async def _refused(talk: Talk, contract: Contract) -> None:
    heard = await _asked(talk, contract)
    talk.check(heard.codes == [NO_DEFINITION], "error 200 and nothing else", heard)
    later = await talk.after(heard, 2)
    talk.check(not later, "no end after the error", later)
