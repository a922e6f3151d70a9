"""The first conversation: who is there, and what of it the cases can rely on."""

from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from gateway.simulator import requests as q
from gateway.simulator.conformance.case import Differs, Need, Unsuited
from gateway.simulator.conformance.client import CODE_ID_IN_USE, Client, Ended, Silence
from gateway.simulator.conformance.hearing import Heard
from gateway.simulator.conformance.pace import Pace
from gateway.simulator.conformance.safety import CannotRun, chosen_account
from gateway.simulator.conformance.talk import Facts, Messages, Setting, Talk
from gateway.simulator.market.contracts import Contract
from gateway.simulator.wire.zones import zone

READ_ONLY = 321
LIVE_TICKS, DELAYED_TICKS = range(1, 15), range(66, 77)
QUOTE_SECONDS = 6.0
_HOURS = "%Y%m%d:%H%M"


async def open_client(setting: Setting, pace: Pace, client_id: int | None = None) -> Client:
    """A client that is ready, for the first conversation. Raises CannotRun with what to do."""
    where = f"{setting.host}:{setting.port}"
    try:
        client = await Client.dial(setting.host, setting.port, pace)
    except OSError as error:
        raise CannotRun(
            f"nothing listens on {where} ({error.strerror or error}): start the gateway, log it "
            "in, and allow socket clients on its API settings page"
        ) from None
    try:
        await client.greet(high=setting.client_version)
        await client.start(setting.client_id if client_id is None else client_id)
    except (Silence, Ended) as trouble:
        reason = _why_not_ready(client, trouble, where)
        await client.close()
        raise CannotRun(reason) from None
    try:  # each time: somebody may have logged the gateway in anew
        chosen_account(setting.account or None, client.accounts)
    except CannotRun:
        await client.close()
        raise
    return client


def _why_not_ready(client: Client, trouble: Exception, where: str) -> str:
    codes = Messages(client.heard).codes
    if CODE_ID_IN_USE in codes:
        return (
            f"client id {client.client_id} is in use at {where} (error 326): another program has "
            "it, or a crashed one had; choose another with --client-id"
        )
    if isinstance(trouble, Ended):
        return (
            f"{where} ended the connection before it was ready ({trouble}; errors {codes}): is "
            "this machine among its trusted addresses?"
        )
    if not client.version:
        return (
            f"{where} accepts connections and answers nothing: the gateway is half dead, or a "
            "dialog on its screen waits; look at it and restart it"
        )
    missing = "no account" if not client.accounts else "no next order id"
    return f"{where} said its version and then {missing}: the gateway's login is not complete"


async def survey(setting: Setting, pace: Pace) -> tuple[Setting, Facts, Contract]:
    """The account, what is known about the gateway, and the contract. Raises CannotRun."""
    client = await open_client(setting, pace)
    try:
        account = chosen_account(setting.account or None, client.accounts)
        setting = replace(setting, account=account)
        talk = Talk(setting, Facts(), client, Contract(), pace)
        details = await _details(talk)
        talk.contract = replace(details.contract, exchange="SMART")
        return setting, await _facts(talk, details), talk.contract
    except Ended as ended:
        raise CannotRun(f"the gateway ended the first conversation: {ended}") from None
    finally:
        await client.close()


async def _facts(talk: Talk, details: Any) -> Facts:
    now = await _time(talk)
    closes = None if now is None else closing(details.liquid_hours, details.time_zone, now)
    is_open = closes is not None
    return Facts(
        server_version=talk.client.version,
        now=now,
        is_open=is_open,
        closes=closes,
        has_history=await _has_history(talk),
        is_read_only=await _is_read_only(talk),
        quotes=await _quotes(talk, is_open=is_open),
    )


def missing_need(needs: tuple[Need, ...], facts: Facts) -> Need | None:
    """The first need that is not met, or None. Those known only on the way count as met."""
    met = {
        Need.OPEN_MARKET: facts.is_open,
        Need.CLOSED_MARKET: not facts.is_open,
        Need.QUOTES: bool(facts.quotes),
        Need.LIVE_QUOTES: facts.quotes == "live",
        Need.HISTORY: facts.has_history,
        Need.ORDERS: not facts.is_read_only,
    }
    return next((need for need in needs if not met.get(need, True)), None)


def is_within(hours: str, zone_name: str, now: datetime) -> bool:
    """Whether a time lies in hours like `20251212:0930-20251212:1600;20251213:CLOSED`."""
    return closing(hours, zone_name, now) is not None


def closing(hours: str, zone_name: str, now: datetime) -> datetime | None:
    """When the session of such hours ends in which a time lies; None between them.

    Raises CannotRun where this Python does not know the zone.
    """
    try:
        place = zone(zone_name)
    except (KeyError, ValueError, OSError):
        raise CannotRun(
            f"the gateway tells trading hours of the time zone {zone_name!r}, which this Python "
            "does not know: install the package tzdata"
        ) from None
    for session in hours.split(";"):
        opens, found, closes = session.partition("-")
        if found and _hour(opens, place) <= now < _hour(closes, place):
            return _hour(closes, place)
    return None


def _hour(text: str, place: tzinfo) -> datetime:
    return datetime.strptime(text, _HOURS).replace(tzinfo=place)


async def _details(talk: Talk) -> Any:
    wanted = Contract(
        symbol=talk.setting.symbol, security_type="STK", exchange="SMART", currency="USD"
    )
    request = q.ContractDetailsRequest(talk.new_id(), wanted)
    try:
        found = await talk.ask(request, end="ContractDetailsEnd")
    except Differs as difference:
        raise CannotRun(f"the gateway does not answer a simple question: {difference}") from None
    details = found.of("ContractDetails").replies
    if len(details) != 1:
        raise CannotRun(
            f"the gateway knows {len(details)} stocks {talk.setting.symbol} at SMART in USD, "
            "where one is needed: choose another with --symbol"
        )
    return details[0]


async def _time(talk: Talk) -> datetime | None:
    try:
        answer = await talk.ask(q.CurrentTimeRequest(), end="CurrentTime")
    except Differs:
        return None
    return datetime.fromtimestamp(answer[-1].reply.epoch_seconds, UTC)


async def _has_history(talk: Talk) -> bool:
    request = q.HistoricalDataRequest(
        talk.new_id(), talk.contract, False, "", "1 day", "10 D", True, "TRADES", 1, False
    )
    try:
        answer = await talk.ask(request, end="HistoricalData", seconds=30)
    except Unsuited:
        return False
    except Differs:
        return True  # silence is no missing permission: the cases shall say that it differs
    return bool(answer.of("HistoricalData"))


async def _is_read_only(talk: Talk) -> bool:
    def answers(item: Heard) -> bool:
        return item.kind == "OpenOrderEnd" or item.code == READ_ONLY

    try:
        return READ_ONLY in (await talk.ask(q.AllOpenOrdersRequest(), end=answers)).codes
    except Differs:
        return False


async def _quotes(talk: Talk, *, is_open: bool) -> str:
    """What market data the account has. An open market that stays silent is taken for live:
    then the cases are run, and say that it differs.
    """
    for kind, name, ticks in ((1, "live", LIVE_TICKS), (3, "delayed", DELAYED_TICKS)):
        await talk.tell(q.MarketDataTypeRequest(kind))
        request_id = talk.new_id()
        request = q.MarketDataRequest(request_id, talk.contract, "", False, False, "")
        since = await talk.tell(request)
        found = _price(request_id, ticks)
        try:
            answer = await talk.answer(request_id, found, since, QUOTE_SECONDS)
        except Unsuited:
            continue
        except Differs:
            return name if is_open else ""
        finally:
            await talk.tell(q.MarketDataCancel(request_id))
        if any(map(found, answer)):
            return name
    return ""


def _price(request_id: int, ticks: range) -> Any:
    def test(item: Heard) -> bool:
        is_price = item.kind == "TickPrice" and item.id == request_id
        return is_price and item.reply.tick_type in ticks and item.reply.price > 0

    return test
