"""What strategies are shown of the market: their bars for a run, and the command `market_data`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from gateway import calendar, shelf
from gateway.core import bars as shelving
from gateway.core import bars_faults, telling
from gateway.core.broker import Terms
from gateway.core.wishes import in_flight_shares
from gateway.errand import Errand, unknown_strategy
from gateway.floor import Floor
from gateway.patience import side_by_side
from gateway.session import BrokerUnavailable, Unresolved
from gateway.shelf import Answer, Found, Wanted
from schemas import codec
from schemas.commands import MarketData
from schemas.documents import BarsDocument, RefusalEntry, RunDocument
from schemas.messages import Bars, Holding, Market, Report
from schemas.new_york import NEW_YORK, new_york_date
from schemas.values import Contract

RULE: Final = "market_data"
"""Names the refusal of a strategy, or of bars, that cannot be had."""


async def markets(
    floor: Floor, named: Sequence[str], run: RunDocument
) -> tuple[list[Market], tuple[RefusalEntry, ...], Mapping[str, BarsDocument]]:
    """One `Market` a strategy, refusals, and the bars to be written.

    A strategy whose bars cannot be had is not asked, and so held; the others go on. Raises
    `BrokerUnavailable` when the line is broken.
    """
    wishes = await _wishes(floor, named)
    served = [wish for wish in wishes if not wish.failures]
    answers = await shelf.read(floor, (one for wish in served for one in wish.wanted))
    markets: list[Market] = []
    refusals: list[RefusalEntry] = []
    for wish in wishes:
        name = wish.strategy
        seen: list[Bars | str] = [*wish.failures]
        if not seen:
            seen += [answers[shelf.place_of(one)].seen(one[1], floor.now) for one in wish.wanted]
        failures = [answer for answer in seen if isinstance(answer, str)]
        if failures:
            refusals.append(RefusalEntry(RULE, failures[0], strategies=(name,)))
        else:
            market = _market(floor, name, [one for one in seen if isinstance(one, Bars)], run)
            refused = _too_large(market)
            refusals += [refused] if refused else []
            markets += [] if refused else [market]
    found = [answer.found for answer in answers.values() if answer.found]
    documents = shelf.to_write(floor, found)
    if not shelf.fits_one_commit(documents):
        await shelf.write(floor, found)
        documents = {}
    return markets, tuple(refusals), documents


async def market_data(floor: Floor, errand: Errand) -> RunDocument:
    """Bars of the strategies' universe into Firestore, checked by a calendar; trades nothing."""
    command: MarketData = errand.command
    await floor.configure(tolerant=True)
    named, unknown = _named(floor, command.strategies)
    wishes = await _wishes(floor, named)
    ones = [one for wish in wishes for one in wish.wanted]
    answers = await shelf.read(floor, ones)
    refusals = [
        RefusalEntry(RULE, failure, strategies=(wish.strategy,))
        for wish in wishes
        for failure in wish.failures
    ]
    contracts = {shelf.place_of(one): one[0] for one in ones}
    # IB may be asked for hours, and for all of the bars again.
    checked = await side_by_side(
        lambda place: _checked_answer(floor, contracts[place], answers[place]), answers
    )
    findings, stored = [], 0
    for place, one in checked.items():
        sentence, is_stored = await _kept(floor, contracts[place], one, errand.run.run_id)
        findings.append(sentence)
        stored += is_stored
        if not is_stored:
            refusals.append(RefusalEntry(RULE, sentence, contracts[place].name, place[0]))
    all_refused = (*unknown, *refusals)
    floor.tell(telling.refused(floor.mode, r, errand.run.run_id, floor.now) for r in all_refused)
    run = replace(errand.run, findings=tuple(findings), refusals=all_refused)
    failed = bool(all_refused) and not stored
    said = f"{stored} of {len(answers)} series of bars are kept"
    return floor.finished(run, "failed" if failed else "done", said)


def _named(
    floor: Floor, named: tuple[str, ...] | None
) -> tuple[list[str], tuple[RefusalEntry, ...]]:
    """Whose bars are read: those named, or all that are enabled, as far as they have a universe."""
    known = floor.desk.strategies
    if named is None:
        return [n for n, s in known.items() if s.enabled and s.universe], ()
    refusals = [unknown_strategy(name, known) for name in dict.fromkeys(named) if name not in known]
    found = [name for name in dict.fromkeys(named) if name in known and known[name].universe]
    return found, tuple(refusals)


@dataclass(frozen=True, slots=True)
class _Wish:
    """The bars that a strategy wants of contracts that IB knows, and why not of the others."""

    strategy: str
    wanted: tuple[Wanted, ...] = ()
    failures: tuple[str, ...] = ()


async def _wishes(floor: Floor, named: Sequence[str]) -> list[_Wish]:
    """What each of them wants. Raises `BrokerUnavailable` when the line is broken.

    IB is asked for all contracts at a time: where it answers for none, they share one deadline.
    """
    universes = (floor.desk.strategies[name].universe for name in named)
    described = (contract for universe in universes for contract in universe)
    meanings = await side_by_side(partial(_meant, floor), described)
    return [_wish(floor, name, meanings) for name in named]


def _wish(floor: Floor, name: str, meanings: Mapping[Contract, list[Contract] | str]) -> _Wish:
    strategy = floor.desk.strategies[name]
    spec = strategy.bars
    if spec is None:
        wrong = f"strategies/{name} has a universe but names no bars; give it bars"
        return _Wish(name, (), (wrong,))
    try:
        shelving.check(spec)
    except ValueError as error:
        return _Wish(name, (), (f"strategies/{name}: {error}",))
    wanted: list[Wanted] = []
    failures = []
    for described in strategy.universe:
        meant = meanings[described]
        if isinstance(meant, str):
            failures.append(meant)
        else:
            wanted += [(contract, spec) for contract in meant]
    return _Wish(name, tuple(wanted), tuple(failures))


async def _meant(floor: Floor, described: Contract) -> list[Contract] | str:
    """The contracts that a universe means today, or why none.

    A future of no month is two (decision 12). Raises `BrokerUnavailable` when the line is broken.
    """
    session = floor.doors.session
    try:
        months = await session.chain(described) if described.is_chain else (described,)
        return [await session.resolve(month) for month in months]
    except (BrokerUnavailable, Unresolved) as error:
        if isinstance(error, BrokerUnavailable) and not session.connected:
            raise
        return str(error)


@dataclass(frozen=True, slots=True)
class _Checked:
    """An answer's bars with what is wrong with them; none where they could not be had."""

    found: Found | None
    faults: tuple[str, ...] = ()
    failure: str = ""


async def _checked_answer(floor: Floor, contract: Contract, answer: Answer) -> _Checked:
    """Raises `BrokerUnavailable` when the line is broken."""
    if answer.found is None:
        return _Checked(None, failure=answer.failure)
    try:
        found, faults = await _checked(floor, answer.found)
    except (BrokerUnavailable, Unresolved, ValueError) as error:
        if isinstance(error, BrokerUnavailable) and not floor.doors.session.connected:
            raise
        return _Checked(None, failure=f"bars of {contract.symbol}: {error}")
    return _Checked(found, faults, answer.failure)


async def _kept(floor: Floor, contract: Contract, one: _Checked, run_id: str) -> tuple[str, bool]:
    """Bars written; what to say of them."""
    if one.found is None:
        return one.failure, False
    try:
        await shelf.write(floor, [one.found])
    except ValueError as error:
        return f"bars of {contract.name}: {error}", False
    said = "; ".join(filter(None, (_said(one.found, one.faults), one.failure)))
    if one.faults or one.failure or not one.found.bars.time:
        floor.tell([_alert(floor, contract, said, run_id)])
    return said, bool(one.found.bars.time)


def _alert(floor: Floor, contract: Contract, said: str, run_id: str) -> Report:
    return Report(
        kind="alert",
        at=floor.now,
        mode=floor.mode,
        sentence=f"bars of {said}",
        run_id=run_id,
        symbol=contract.symbol,
        con_id=contract.con_id,
        details={"alert": "bars_faulty"},
    )


async def _checked(floor: Floor, found: Found) -> tuple[Found, tuple[str, ...]]:
    """The faults of the bars; those of kept ones may be ours, so then IB is asked for all again."""
    faults = await _faults(floor, found)
    if faults and not found.why_whole:
        why = f"the kept ones had {faults[0]}"
        found = await shelf.read_anew(floor, found.bars.contract, found.spec, why)
        faults = await _faults(floor, found)
    return found, faults


async def _faults(floor: Floor, found: Found) -> tuple[str, ...]:
    bars = found.bars
    if not bars.time:
        return ()
    first, last = (new_york_date(at) for at in (bars.time[0], floor.now))
    regular = found.spec.regular_hours_only
    known = await calendar.sessions(bars.contract, first, last, regular_hours_only=regular)
    if known is not None:
        known = bars_faults.by_own_hours(known, await _terms(floor, bars.contract))
    told = bars_faults.faults(bars, known, floor.doors.session.bars_until)
    again = (f"{found.repeated} bars told twice by IB and kept once",) if found.repeated else ()
    return (*told, *again)


async def _terms(floor: Floor, contract: Contract) -> Terms | None:
    """The contract's own hours, where IB tells them; the calendar's stand in."""
    try:
        return await floor.doors.session.terms(contract)
    except (BrokerUnavailable, Unresolved):
        return None


def _said(found: Found, faults: Sequence[str]) -> str:
    bars, spec = found.bars, found.spec
    hours = "" if spec.regular_hours_only else " of all hours"
    what = f"{bars.contract.name} {spec.size}{hours}"
    if not bars.time:
        return f"{what}: IB has no bars for {spec.duration}; look at its market data subscriptions"
    ends = (bars.time[0], bars.time[-1])
    first, last = (f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}" for at in ends)
    how = f"all read, for {found.why_whole}" if found.why_whole else f"{found.fresh} new"
    wrong = f"; wrong: {'; '.join(faults)}; compare with IB's own chart" if faults else ""
    return f"{what}: {len(bars.time)} bars from {first} to {last} New York, {how}{wrong}"


def _market(floor: Floor, name: str, bars: Sequence[Bars], run: RunDocument) -> Market:
    desk, strategy = floor.desk, floor.desk.strategies[name]
    assert desk.values is not None, "a run without net liquidation was refused before"
    weight = strategy.weight or Decimal(0)
    return Market(
        run_id=run.run_id,
        strategy=name,
        as_of=floor.now,
        valid_until=floor.now + timedelta(minutes=desk.settings.fresh_minutes),
        capital=desk.values.net_liquidation * desk.settings.exposure_overall * weight,
        base_currency=desk.values.base_currency,
        bars=tuple(bars),
        book=_holdings(floor, name),
        parameters=strategy.parameters,
        dry_run=run.dry_run,
        exchange_rates=_exchange_rates(floor, bars),
    )


def _too_large(market: Market) -> RefusalEntry | None:
    """No function would read it: the strategy would look as if it never answered."""
    size, bound = len(codec.encode(market)), codec.MESSAGE_BYTES_MAX
    if size <= bound:
        return None
    name, bars = market.strategy, sum(len(one.time) for one in market.bars)
    sentence = (
        f"strategies/{name}: its market message would have {size} bytes with {bars} bars, at most "
        f"{bound} are read; give it fewer contracts, a shorter duration or larger bars"
    )
    return RefusalEntry(RULE, sentence, strategies=(name,), value=str(size), bound=str(bound))


def _exchange_rates(floor: Floor, bars: Sequence[Bars]) -> dict[str, Decimal]:
    """What one unit of each currency needed is worth in the base currency, where it is known."""
    desk = floor.desk
    base = [desk.values.base_currency] if desk.values else []
    needed = sorted({*base, *(one.contract.currency for one in bars)})
    rates = {currency: desk.rate(currency) for currency in needed}
    return {currency: rate for currency, rate in rates.items() if rate is not None}


def _holdings(floor: Floor, name: str) -> tuple[Holding, ...]:
    """What the strategy's book holds, with what its part of working orders may still add."""
    desk = floor.desk
    ledger = desk.ledgers.get(name)
    positions = ledger.positions.values() if ledger else ()
    return tuple(
        Holding(
            p.contract,
            p.quantity,
            in_flight_shares(desk.open_order(p.contract.con_id)).get(name, Decimal(0)),
        )
        for p in positions
    )
