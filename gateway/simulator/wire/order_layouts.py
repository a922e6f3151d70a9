"""The three big layouts: placeOrder (3), openOrder (5), completedOrder (101).

They are lists of IB's attribute names in wire order, with version gates, defaults and the blocks
that appear only under a condition. A token reads `name=default>=since<until`; a name that begins
with an underscore is never filled from an order, its default always stands.
Source: design/ib.md 1.4, 1.6, 1.7 (recorded from a real gateway and checked by machine).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.simulator.wire.codec import UNSET_DOUBLE, UNSET_INTEGER
from gateway.simulator.wire.fields import VERSION_ANY_MAX, FieldReader, MalformedMessage

Values = dict[str, Any]
"""IB's attribute name to its text; a repeated group's name to a tuple of tuples of texts."""

_TOKEN = re.compile(r"(\w+)(?:=([^<>]*))?(?:>=(\d+))?(?:<(\d+))?")
_ALIASES = {"UNSET": UNSET_DOUBLE, "UNSET_INT": UNSET_INTEGER}


@dataclass(frozen=True, slots=True)
class Name:
    """One attribute at its place, and what stands there when the order says nothing."""

    name: str
    default: str
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Block:
    """Segments that are there only when a condition on what came before holds."""

    applies: Callable[[Mapping[str, Any]], bool]
    table: "Table"
    since: int = 0
    name: str = ""
    """A block has no field of its own."""

    def label(self, reader: FieldReader, values: Values) -> list[str]:
        """What its fields are called."""
        return self.table.plan(reader.version).label(reader, values) if self.applies(values) else []

    def absent(self, values: Values) -> bool:
        """Whether the fields before it say that it is not there."""
        return not self.applies(values)

    def read(self, reader: FieldReader, values: Values) -> None:
        """Read the block if it is there."""
        if self.applies(values):
            values |= self.table.read(reader)

    def write(self, values: Mapping[str, Any], version: int) -> list[str]:
        """Write the block if it belongs there."""
        return self.table.write(values, version) if self.applies(values) else []


@dataclass(frozen=True, slots=True)
class Group:
    """A count and that many rows of equal width."""

    name: str
    width: int
    since: int = 0

    def label(self, reader: FieldReader, values: Values) -> list[str]:
        """What its fields are called."""
        return _counted(self, reader, values)

    def absent(self, values: Values) -> bool:
        """Whether the count is none."""
        return values[self.name] in NO_COUNT

    def read(self, reader: FieldReader, values: Values) -> None:
        """Read the count and the rows."""
        count = reader.take_count()
        values[self.name] = tuple(reader.take_many(self.width) for _ in range(count))

    def write(self, values: Mapping[str, Any], version: int) -> list[str]:
        """Write the count and the rows if there are any."""
        del version
        rows = values.get(self.name)
        return [str(len(rows)), *(text for row in rows for text in row)] if rows else []


CONDITION_WIDTHS = {"1": 6, "3": 3, "4": 3, "5": 4, "6": 5, "7": 5}
"""Fields of an order condition after its type: price, time, margin, execution, volume, percent."""
NO_COUNT = frozenset({"0", ""})
"""A count of no items. It is written as 0: ib_async drops an order over an empty one."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """A count, conditions of different widths, and two switches when there are any."""

    name: str = "conditions"
    since: int = 0

    def label(self, reader: FieldReader, values: Values) -> list[str]:
        """What its fields are called."""
        return _counted(self, reader, values)

    def absent(self, values: Values) -> bool:
        """Whether the count is none."""
        return values[self.name] in NO_COUNT

    def read(self, reader: FieldReader, values: Values) -> None:
        """Read count, conditions, switches."""
        rows = []
        for _ in range(reader.take_count()):
            kind = reader.take()
            if kind not in CONDITION_WIDTHS:
                raise MalformedMessage(f"{kind[:20]!r} is no kind of condition")
            rows.append((kind, *reader.take_many(CONDITION_WIDTHS[kind])))
        values[self.name] = tuple(rows)
        if rows:
            values["conditionsIgnoreRth"], values["conditionsCancelOrder"] = reader.take_many(2)

    def write(self, values: Mapping[str, Any], version: int) -> list[str]:
        """Write count, conditions, switches if there are any."""
        del version
        rows = values.get(self.name)
        if not rows:
            return []
        switches = ("conditionsIgnoreRth", "conditionsCancelOrder")
        written = [str(len(rows)), *(text for row in rows for text in row)]
        return [*written, *(values.get(name) or "0" for name in switches)]


def _counted(varying: Group | Conditions, reader: FieldReader, values: Values) -> list[str]:
    before = reader.remaining
    varying.read(reader, values)
    return [varying.name, *(f"{varying.name}.{at}" for at in range(before - reader.remaining - 1))]


Varying = Block | Group | Conditions
Segment = Name | Varying
Segments = tuple[Segment, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Segments in wire order: a whole message behind its number, or a part of one."""

    segments: Segments
    _plans: dict[int, "OrderPlan"] = field(default_factory=dict, init=False, repr=False)

    def read(self, reader: FieldReader) -> Values:
        """What the fields say. Raises MalformedMessage."""
        return self.plan(reader.version).read(reader)

    def write(self, values: Mapping[str, Any], version: int) -> list[str]:
        """The fields in order."""
        return self.plan(version).write(values)

    def plan(self, version: int) -> "OrderPlan":
        """The segments of one server version; made once for each of the few that are spoken."""
        plan = self._plans.get(version)
        if plan is None:
            plan = self._plans[version] = OrderPlan(self.segments, version)
        return plan


class OrderPlan:
    """The segments of one version, sorted out beforehand.

    `_names` and `_template` are the plain message: every single attribute with its default, and
    the count of each group, 0. What is not plain is read and written segment by segment.
    """

    def __init__(self, segments: Segments, version: int) -> None:
        self._version = version
        self._names: list[str] = []
        self._template: list[str] = []
        self._places: dict[str, int] = {}
        self._repeats: list[tuple[str, int]] = []
        self._varying: list[tuple[int, Varying]] = []
        self._runs: list[tuple[list[str], Varying | None]] = [([], None)]
        for segment in segments:
            if isinstance(segment, Name):
                if segment.since <= version < segment.until:
                    self._add(segment)
            elif segment.since <= version:
                self._vary(segment)

    def read(self, reader: FieldReader) -> Values:
        """What the fields say. Raises MalformedMessage."""
        values = self._read_plain(reader) if reader.remaining == len(self._names) else None
        return self._read_runs(reader) if values is None else values

    def label(self, reader: FieldReader, values: Values) -> list[str]:
        """What each field is called; `values` has what was read before. Raises MalformedMessage."""
        labels: list[str] = []
        for names_, varying in self._runs:
            values.update(zip(names_, reader.take_many(len(names_)), strict=True))
            labels += names_
            if varying is not None:
                labels += varying.label(reader, values)
        return labels

    def write(self, values: Mapping[str, Any]) -> list[str]:
        """The fields in order: an attribute's own text, or the default where it has none."""
        written = self._template.copy()
        places = self._places
        for name, text in values.items():
            if text and name in places:
                written[places[name]] = text
        for name, place in self._repeats:
            written[place] = values.get(name) or written[place]
        for place, varying in reversed(self._varying):
            more = varying.write(values, self._version)
            if more:
                written[place : place + bool(varying.name)] = more
        return written

    def _read_plain(self, reader: FieldReader) -> Values | None:
        """The message if it is plain, which no field on the way may speak against."""
        values: Values = dict(zip(self._names, reader.look(), strict=True))
        for _, varying in self._varying:
            if not varying.absent(values):
                return None
            if varying.name:
                values[varying.name] = ()
        reader.take_many(len(self._names))
        return values

    def _read_runs(self, reader: FieldReader) -> Values:
        values: Values = {}
        for names_, varying in self._runs:
            values.update(zip(names_, reader.take_many(len(names_)), strict=True))
            if varying is not None:
                varying.read(reader, values)
        return values

    def _add(self, name: Name) -> None:
        if name.name in self._places:
            self._repeats.append((name.name, len(self._template)))
        elif not name.name.startswith("_"):
            self._places[name.name] = len(self._template)
        self._runs[-1][0].append(name.name)
        self._names.append(name.name)
        self._template.append(name.default)

    def _vary(self, segment: Varying) -> None:
        self._varying.append((len(self._template), segment))
        self._runs[-1] = (self._runs[-1][0], segment)
        self._runs.append(([], None))
        if segment.name:
            self._names.append(segment.name)
            self._template.append("0")


def table(*segments: Segment) -> Table:
    """A table of these segments."""
    return Table(segments)


def block(
    applies: Callable[[Mapping[str, Any]], bool], segments: Segments, since: int = 0
) -> Block:
    """Segments under a condition, from a version on."""
    return Block(applies, Table(segments), since)


def names(text: str) -> Segments:
    """Parse tokens separated by blanks."""
    return tuple(_name(token) for token in text.split())


def _name(token: str) -> Name:
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ValueError(f"bad layout token {token!r}")
    default = match[2] or ""
    return Name(
        match[1],
        _ALIASES.get(default, default),
        int(match[3] or 0),
        int(match[4] or VERSION_ANY_MAX),
    )


def has(name: str) -> Callable[[Mapping[str, Any]], bool]:
    """Condition: the attribute is not empty."""
    return lambda values: bool(values.get(name))


def is_one(name: str) -> Callable[[Mapping[str, Any]], bool]:
    """Condition: the flag is set."""
    return lambda values: values.get(name) == "1"


def is_in(name: str, *texts: str) -> Callable[[Mapping[str, Any]], bool]:
    """Condition: the attribute has one of these values."""
    return lambda values: values.get(name) in texts


def is_positive(name: str) -> Callable[[Mapping[str, Any]], bool]:
    """Condition: a number greater than 0 that is not one of IB's unset values."""

    def test(values: Mapping[str, Any]) -> bool:
        text = values.get(name)
        if not text:
            return False
        try:
            return 0 < float(text) < 1e300
        except ValueError:
            return False

    return test


_IS_BAG = is_in("secType", "BAG")
_IS_PEG_BENCH = is_in("orderType", "PEG BENCH", "PEGBENCH")
_CONTRACT_11 = names(
    "conId symbol secType lastTradeDate strike=0 right=? multiplier exchange currency "
    "localSymbol tradingClass"
)
_ALGO = block(has("algoStrategy"), (Group("algoParams", 2),))
_DELTA_NEUTRAL_CONTRACT = block(
    is_one("deltaNeutral"), names("deltaNeutralContractConId deltaNeutralDelta deltaNeutralPrice")
)
_SCALE = block(
    is_positive("scalePriceIncrement"),
    names(
        "scalePriceAdjustValue scalePriceAdjustInterval scaleProfitOffset scaleAutoReset "
        "scaleInitPosition scaleInitFillQty scaleRandomPercent"
    ),
)
_PEG_BENCH = block(
    _IS_PEG_BENCH,
    names(
        "referenceContractId isPeggedChangeAmountDecrease peggedChangeAmount "
        "referenceChangeAmount referenceExchangeId"
    ),
)
_HEDGE = block(has("hedgeType"), names("hedgeParam"))
_LEGS: Segments = (Group("comboLegs", 8), Group("orderComboLegs", 1), Group("smartRouting", 2))
_MID_OFFSETS = names("midOffsetAtWhole midOffsetAtHalf")


PLACE_ORDER = table(
    *names(
        "orderId conId symbol secType lastTradeDate strike right multiplier exchange "
        "primaryExchange currency localSymbol tradingClass secIdType secId "
        "action totalQuantity orderType lmtPrice auxPrice tif ocaGroup account openClose origin "
        "orderRef transmit parentId blockOrder sweepToFill displaySize triggerMethod outsideRth "
        "hidden"
    ),
    block(_IS_BAG, _LEGS),
    *names(
        "_sharesAllocation discretionaryAmt goodAfterTime goodTillDate faGroup faMethod "
        "faPercentage faProfile<177 modelCode shortSaleSlot designatedLocation exemptCode ocaType "
        "rule80A settlingFirm allOrNone minQty percentOffset eTradeOnly firmQuoteOnly nbboPriceCap "
        "auctionStrategy startingPrice stockRefPrice delta stockRangeLower stockRangeUpper "
        "overridePercentageConstraints volatility volatilityType deltaNeutralOrderType "
        "deltaNeutralAuxPrice"
    ),
    block(
        has("deltaNeutralOrderType"),
        names(
            "deltaNeutralConId deltaNeutralSettlingFirm deltaNeutralClearingAccount "
            "deltaNeutralClearingIntent deltaNeutralOpenClose deltaNeutralShortSale "
            "deltaNeutralShortSaleSlot deltaNeutralDesignatedLocation"
        ),
    ),
    *names(
        "continuousUpdate referencePriceType trailStopPrice trailingPercent scaleInitLevelSize "
        "scaleSubsLevelSize scalePriceIncrement"
    ),
    _SCALE,
    *names("scaleTable activeStartTime activeStopTime hedgeType"),
    _HEDGE,
    *names("optOutSmartRouting clearingAccount clearingIntent notHeld deltaNeutral"),
    _DELTA_NEUTRAL_CONTRACT,
    *names("algoStrategy"),
    _ALGO,
    *names("algoId whatIf orderMiscOptions solicited randomizeSize randomizePrice"),
    _PEG_BENCH,
    Conditions(),
    *names(
        "adjustedOrderType triggerPrice lmtPriceOffset adjustedStopPrice adjustedStopLimitPrice "
        "adjustedTrailingAmount adjustableTrailingUnit extOperator softDollarTierName "
        "softDollarTierVal cashQty mifid2DecisionMaker mifid2DecisionAlgo mifid2ExecutionTrader "
        "mifid2ExecutionAlgo dontUseAutoPriceForHedge isOmsContainer discretionaryUpToLimitPrice "
        "usePriceMgmtAlgo duration>=158 postToAts>=160 autoCancelParent>=162 "
        "advancedErrorOverride>=166 manualOrderTime>=169"
    ),
    block(is_in("exchange", "IBKRATS"), names("minTradeQty"), since=170),
    block(
        is_in("orderType", "PEG BEST", "PEGBEST"),
        (
            *names("minCompeteSize competeAgainstBestOffset"),
            # "up to the middle": Infinity in IB's own client, Infinite in ib_async
            block(is_in("competeAgainstBestOffset", "Infinity", "Infinite"), _MID_OFFSETS),
        ),
        since=170,
    ),
    block(is_in("orderType", "PEG MID", "PEGMID"), _MID_OFFSETS, since=170),
)

_PEG_TAIL = names(
    "minTradeQty=UNSET_INT>=170 minCompeteSize=UNSET_INT>=170 "
    "competeAgainstBestOffset=UNSET>=170 midOffsetAtWhole=UNSET>=170 midOffsetAtHalf=UNSET>=170"
)

OPEN_ORDER = table(
    *names("orderId"),
    *_CONTRACT_11,
    *names(
        "action totalQuantity orderType lmtPrice=0.0 auxPrice=0.0 tif ocaGroup account _openClose "
        "origin=0 orderRef clientId=0 permId=0 outsideRth=0 hidden=0 discretionaryAmt=0 "
        "goodAfterTime sharesAllocation faGroup faMethod faPercentage faProfile<177 modelCode "
        "goodTillDate rule80A percentOffset=UNSET settlingFirm shortSaleSlot=0 designatedLocation "
        "exemptCode=-1 auctionStrategy=0 startingPrice=UNSET stockRefPrice=UNSET delta=UNSET "
        "stockRangeLower=UNSET stockRangeUpper=UNSET displaySize=UNSET_INT blockOrder=0 "
        "sweepToFill=0 allOrNone=0 minQty=UNSET_INT ocaType=3 eTradeOnly=0 firmQuoteOnly=0 "
        "nbboPriceCap=UNSET parentId=0 triggerMethod=0 volatility=UNSET volatilityType=0 "
        "deltaNeutralOrderType=None deltaNeutralAuxPrice=UNSET deltaNeutralConId=0 "
        "deltaNeutralSettlingFirm deltaNeutralClearingAccount deltaNeutralClearingIntent "
        "deltaNeutralOpenClose=? deltaNeutralShortSale=0 deltaNeutralShortSaleSlot=0 "
        "deltaNeutralDesignatedLocation continuousUpdate=0 referencePriceType=0 "
        "trailStopPrice=UNSET trailingPercent=UNSET basisPoints=UNSET basisPointsType=UNSET_INT "
        "comboLegsDescrip"
    ),
    *_LEGS,
    *names("scaleInitLevelSize=UNSET_INT scaleSubsLevelSize=UNSET_INT scalePriceIncrement=UNSET"),
    _SCALE,
    *names("hedgeType"),
    _HEDGE,
    *names("optOutSmartRouting=0 clearingAccount clearingIntent=IB notHeld=0 deltaNeutral=0"),
    _DELTA_NEUTRAL_CONTRACT,
    *names("algoStrategy"),
    _ALGO,
    *names(
        "solicited=0 whatIf=0 status initMarginBefore=UNSET maintMarginBefore=UNSET "
        "equityWithLoanBefore=UNSET initMarginChange=UNSET maintMarginChange=UNSET "
        "equityWithLoanChange=UNSET initMarginAfter=UNSET maintMarginAfter=UNSET "
        "equityWithLoanAfter=UNSET commission=UNSET minCommission=UNSET maxCommission=UNSET "
        "commissionCurrency warningText randomizeSize=0 randomizePrice=0"
    ),
    _PEG_BENCH,
    Conditions(),
    *names(
        "adjustedOrderType=None triggerPrice=UNSET trailStopPrice=UNSET lmtPriceOffset=UNSET "
        "adjustedStopPrice=UNSET adjustedStopLimitPrice=UNSET adjustedTrailingAmount=UNSET "
        "adjustableTrailingUnit=0 softDollarTierName softDollarTierVal softDollarTierDisplay "
        "cashQty=0 dontUseAutoPriceForHedge=0 isOmsContainer=0 discretionaryUpToLimitPrice=0 "
        "usePriceMgmtAlgo=0 duration=UNSET_INT>=158 postToAts=UNSET_INT>=160 "
        "autoCancelParent=0>=162"
    ),
    *_PEG_TAIL,
)

COMPLETED_ORDER = table(
    *_CONTRACT_11,
    *names(
        "action totalQuantity=0 orderType lmtPrice=0.0 auxPrice=0.0 tif ocaGroup account "
        "_openClose origin=0 orderRef permId=0 outsideRth=0 hidden=0 discretionaryAmt=0 "
        "goodAfterTime faGroup faMethod faPercentage faProfile<177 modelCode goodTillDate rule80A "
        "percentOffset=UNSET settlingFirm shortSaleSlot=0 designatedLocation exemptCode=-1 "
        "startingPrice=UNSET stockRefPrice=UNSET delta=UNSET stockRangeLower=UNSET "
        "stockRangeUpper=UNSET displaySize=UNSET_INT sweepToFill=0 allOrNone=0 minQty=UNSET_INT "
        "ocaType=3 triggerMethod=0 volatility=UNSET volatilityType=0 deltaNeutralOrderType=None "
        "deltaNeutralAuxPrice=UNSET deltaNeutralConId=0 deltaNeutralShortSale=0 "
        "deltaNeutralShortSaleSlot=0 deltaNeutralDesignatedLocation continuousUpdate=0 "
        "referencePriceType=0 trailStopPrice=UNSET trailingPercent=UNSET comboLegsDescrip"
    ),
    *_LEGS,
    *names("scaleInitLevelSize=UNSET_INT scaleSubsLevelSize=UNSET_INT scalePriceIncrement=UNSET"),
    _SCALE,
    *names("hedgeType"),
    _HEDGE,
    *names("clearingAccount clearingIntent=IB notHeld=0 deltaNeutral=0"),
    _DELTA_NEUTRAL_CONTRACT,
    *names("algoStrategy"),
    _ALGO,
    *names("solicited=0 status randomizeSize=0 randomizePrice=0"),
    _PEG_BENCH,
    Conditions(),
    *names(
        "trailStopPrice=UNSET lmtPriceOffset=UNSET cashQty=0 dontUseAutoPriceForHedge=0 "
        "isOmsContainer=0 autoCancelDate filledQuantity=0 refFuturesConId=0 autoCancelParent=0 "
        "shareholder imbalanceOnly=0 routeMarketableToBbo=0 parentPermId=0 completedTime "
        "completedStatus"
    ),
    *_PEG_TAIL,
)
