from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.desk import Desk
from gateway.core.limits import LIMITS, Candidate, exchange_rate, forbidden, refusal
from schemas.documents import Latch, Lock, RefusalEntry
from schemas.settings import ControlDocument
from schemas.values import Contract, Mode, TradingState

EURO = Contract("SAP", currency="EUR", con_id=1)
ES = Contract("ES", sec_type="FUT", exchange="CME", con_id=1, multiplier=Decimal(50))


def candidate(build: Any, quantity: int = 10, **parts: Any) -> Candidate:
    """An increasing order of a at a fresh price of 100."""
    shares = build.shares({"a": quantity})
    money = {"price": build.price(), "rate": Decimal(1)}
    known = Candidate(build.spy, Decimal(quantity), shares, reducing=False, **money)
    return replace(known, **parts)


def crossing(build: Any, quantity: int = 10, **parts: Any) -> Candidate:
    shares = build.shares({"a": quantity, "b": -quantity})
    return candidate(build, quantity=0, shares=shares, is_cross=True, **parts)


def refused(
    build: Any, looked_at: Candidate, desk: Desk | None = None, **settings: Any
) -> RefusalEntry | None:
    return refusal(looked_at, build.settings_of(desk or build.desk(), **settings), build.now)


def check(entry: RefusalEntry | None, rule: str, value: str, bound: str) -> None:
    """A refusal carries rule, value and bound, and its sentence says them."""
    assert entry is not None
    assert (entry.rule, entry.value, entry.bound) == (rule, value, bound)
    assert entry.symbol in entry.sentence
    assert value in entry.sentence


def test_a_plain_order_passes_all_limits(build: Any) -> None:
    assert refused(build, candidate(build)) is None


def test_no_rule_stands_in_the_table_twice() -> None:
    assert len({rule.__name__ for rule in LIMITS}) == len(LIMITS)


# ---------------------------------------------------------------------- trading state and locks


@pytest.mark.parametrize(
    ("state", "held", "is_forbidden"),
    [
        (TradingState.ACTIVE, 0, False),
        (TradingState.REDUCE_ONLY, 0, True),
        (TradingState.REDUCE_ONLY, -10, False),
        (TradingState.REDUCE_ONLY, -9, True),
        (TradingState.HALTED, -10, True),
    ],
)
def test_what_the_trading_state_allows_no_more_is_to_be_cancelled(
    build: Any, state: TradingState, held: int, is_forbidden: bool
) -> None:
    """10 of the 15 bought are still to come: of -10 they make 0, of -9 they make 1."""
    desk = build.desk({}, {"a": {1: held}}, orders=[build.order({"a": 15}, filled=Decimal(5))])
    desk = replace(desk, control=ControlDocument(state))
    assert [order.order_ref for order in forbidden(desk)] == ["paper-1-1"] * is_forbidden


@pytest.mark.parametrize(
    "said", [{"state": "CANCELLING"}, {"state": "DONE"}, {"outcome": "cancelled"}]
)
def test_what_is_cancelled_already_is_not_cancelled_again(build: Any, said: dict[str, str]) -> None:
    desk = build.desk({}, {}, orders=[build.order({"a": 15}, **said)])
    assert forbidden(replace(desk, control=ControlDocument())) == []


@pytest.mark.parametrize(
    ("state", "reducing", "passes"),
    [
        (TradingState.ACTIVE, False, True),
        (TradingState.REDUCE_ONLY, True, True),
        (TradingState.REDUCE_ONLY, False, False),
        (TradingState.HALTED, True, False),
        (TradingState.HALTED, False, False),
    ],
)
@pytest.mark.parametrize("make", [candidate, crossing])
def test_the_trading_state_lets_through(
    build: Any, make: Any, state: TradingState, reducing: bool, passes: bool
) -> None:
    """[N6] Reducing is never blocked by reduce-only; nothing passes a halt."""
    desk = build.desk(control=ControlDocument(state))
    entry = refused(build, make(build, reducing=reducing), desk)
    assert (entry is None) is passes
    if entry is not None:
        assert (entry.rule, entry.value, entry.bound) == ("trading_state", state, "active")
        assert entry.sentence == f"trading is {state}; a person must say resume"


def test_a_latch_says_itself_why_only_reducing_is_left(build: Any) -> None:
    latch = Latch("drawdown", "equity fell too far", build.now)
    entry = refused(build, candidate(build), build.desk(reduce_only=latch))
    assert entry is not None
    assert "reduce-only (equity fell too far); a person" in entry.sentence.replace("_", "-")


@pytest.mark.parametrize("reducing", [True, False])
def test_a_lock_stops_everything_in_its_contract(build: Any, reducing: bool) -> None:
    """[B3, B4]"""
    desk = build.desk(locks={"1": Lock("SPY", "unexplained", "+5 nobody knows", build.now)})
    entry = refused(build, candidate(build, reducing=reducing), desk)
    assert entry is not None
    found = (entry.rule, entry.value, entry.bound)
    assert found == ("contract_locked", "unexplained", "no lock")
    assert "+5 nobody knows" in entry.sentence


def test_a_lock_of_another_contract_stops_nothing(build: Any) -> None:
    desk = build.desk(locks={"2": Lock("VIXY", "unexplained", "+5", build.now)})
    assert refused(build, candidate(build), desk) is None


# ---------------------------------------------------------------------- ages and data


@pytest.mark.parametrize("reducing", [True, False])
@pytest.mark.parametrize(("age", "passes"), [(120, True), (121, False)])
def test_positions_must_be_read_lately(build: Any, reducing: bool, age: int, passes: bool) -> None:
    """[M4] Also for what reduces: on old positions nobody knows what reduces."""
    desk = build.desk(read_at=build.later(-age))
    entry = refused(build, candidate(build, reducing=reducing), desk)
    assert (entry is None) is passes
    if entry is not None:
        assert (entry.rule, entry.value, entry.bound) == ("snapshot_age", "121 s ago", "120 s")
        assert "say reconcile" in entry.sentence


def test_positions_never_read_stop_everything(build: Any) -> None:
    entry = refused(build, candidate(build), build.desk(read_at=None))
    assert entry is not None
    assert (entry.rule, entry.value) == ("snapshot_age", "never")


@pytest.mark.parametrize(("age", "passes"), [(60, True), (61, False)])
@pytest.mark.parametrize("make", [candidate, crossing])
def test_an_increasing_order_or_cross_needs_a_fresh_price(
    build: Any, make: Any, age: int, passes: bool
) -> None:
    """[N4]"""
    looked_at = make(build, price=build.price(age_seconds=age))
    entry = refused(build, looked_at, quote_age_seconds_max=60)
    assert (entry is None) is passes
    if entry is not None:
        check(entry, "quote_age", "61 s", "60 s")


@pytest.mark.parametrize("price", [None, 0, -1])
def test_no_price_or_a_senseless_one_stops_what_increases(build: Any, price: int | None) -> None:
    """A price of 0 would let every limit on money pass."""
    entry = refused(build, candidate(build, price=None if price is None else build.price(price)))
    assert entry is not None
    assert (entry.rule, entry.value) == ("quote_age", "none")
    assert "market data" in entry.sentence


def test_a_close_needs_no_price(build: Any) -> None:
    """[N6]"""
    desk = build.desk({}, {"a": {1: -10}})
    for price in (None, build.price(age_seconds=9e9)):
        assert refused(build, candidate(build, price=price, reducing=True), desk) is None


@pytest.mark.parametrize("price_parts", [{"age_seconds": 9e9}, {"delayed": True}])
def test_a_cross_needs_a_good_price_even_where_it_closes(
    build: Any, price_parts: dict[str, Any]
) -> None:
    """[N4] Money changes hands between books at it."""
    price = build.price(**price_parts)
    assert refused(build, crossing(build, price=price, reducing=True)) is not None


@pytest.mark.parametrize(
    ("mode", "allowed", "passes"),
    [(Mode.PAPER, True, True), (Mode.PAPER, False, False), (Mode.LIVE, True, False)],
)
def test_delayed_prices_pass_only_in_paper_and_where_allowed(
    build: Any, mode: Mode, allowed: bool, passes: bool
) -> None:
    """[N4]"""
    looked_at = candidate(build, price=build.price(delayed=True))
    account = {Mode.PAPER: "DU1", Mode.LIVE: "U1"}[mode]
    desk = build.desk(mode=mode, values=replace(build.base, account=account))
    entry = refused(build, looked_at, desk, delayed_data_allowed=allowed)
    assert (entry is None) is passes
    if entry is not None:
        check(entry, "delayed_data", "delayed", "live")


@pytest.mark.parametrize(("reducing", "passes"), [(True, True), (False, False)])
@pytest.mark.parametrize("make", [candidate, crossing])
def test_no_rate_of_exchange_is_taken_for_1(
    build: Any, make: Any, reducing: bool, passes: bool
) -> None:
    """[M14] What reduces needs no rate: whoever closes is never kept from it [N6]."""
    desk = build.desk({}, {"a": {1: -10}, "b": {1: 10}})
    looked_at = make(build, contract=EURO, reducing=reducing, rate=None)
    entry = refused(build, looked_at, desk)
    assert (entry is None) is passes
    if entry is not None:
        check(entry, "exchange_rate", "EUR", "a rate to USD")
        assert "hold some EUR there" in entry.sentence


def test_before_the_account_is_read_no_rate_is_known(build: Any) -> None:
    """[M14] Another rule refuses first; this one needs no other to be right."""
    looked_at = candidate(build, contract=EURO, rate=None)
    entry = exchange_rate(looked_at, build.desk(values=None), build.now)
    assert entry is not None
    assert (entry.rule, entry.bound) == ("exchange_rate", "a rate to nothing")


def test_with_a_rate_of_exchange_another_currency_passes(build: Any) -> None:
    """[M14]"""
    assert refused(build, candidate(build, contract=EURO, rate=Decimal("1.1"))) is None


# ---------------------------------------------------------------------- sizes


@pytest.mark.parametrize("reducing", [True, False])
@pytest.mark.parametrize(("quantity", "passes"), [(20, True), (-20, True), (21, False)])
def test_an_order_has_at_most_order_quantity_max(
    build: Any, reducing: bool, quantity: int, passes: bool
) -> None:
    looked_at = candidate(build, quantity, reducing=reducing)
    entry = refused(build, looked_at, order_quantity_max=Decimal(20))
    assert (entry is None) is passes
    if entry is not None:
        check(entry, "order_quantity_max", "21", "20")
        assert "order_quantity_max" in entry.sentence


@pytest.mark.parametrize("make", [candidate, crossing])
@pytest.mark.parametrize(("quantity", "passes"), [(20, True), (21, False)])
def test_an_order_is_worth_at_most_order_notional_max(
    build: Any, make: Any, quantity: int, passes: bool
) -> None:
    """[N4] Also a cross, by its largest share."""
    entry = refused(build, make(build, quantity), order_notional_max=Decimal(2000))
    assert (entry is None) is passes
    if entry is not None:
        check(entry, "order_notional_max", "2100.00", "2000")


def test_too_large_a_cross_names_its_largest_side_and_an_order_all_of_it(build: Any) -> None:
    """[N4] The others may still cross, or be ordered, among themselves."""
    shares = build.shares({"a": -6, "b": 21, "c": -15})
    cross = replace(crossing(build), shares=shares)
    order = candidate(build, 25, shares=build.shares({"a": 4, "b": 21}))
    for looked_at, names in ((cross, ("b",)), (order, ("a", "b"))):
        entry = refused(build, looked_at, order_notional_max=Decimal(2000))
        assert entry is not None
        assert (entry.rule, entry.strategies) == ("order_notional_max", names)


@pytest.mark.parametrize("make", [candidate, crossing])
@pytest.mark.parametrize(
    ("contract", "rate", "worth"),
    [
        (replace(ES, currency="USD"), "1", 50_000),
        (EURO, "1.1", 1100),
        (replace(ES, currency="EUR"), "1.1", 55_000),
    ],
)
def test_an_order_is_worth_price_times_multiplier_times_rate(
    build: Any, make: Any, contract: Contract, rate: str, worth: int
) -> None:
    """[M14] 10 at 100, in the base currency, as the bound is."""
    settings: dict[str, Any] = {"sec_types_allowed": ("STK", "FUT")}
    looked_at = make(build, contract=contract, rate=Decimal(rate))
    assert refused(build, looked_at, order_notional_max=Decimal(worth), **settings) is None
    entry = refused(build, looked_at, order_notional_max=Decimal(worth - 1), **settings)
    check(entry, "order_notional_max", f"{worth}.00", f"{worth - 1}")


def test_a_position_is_worth_price_times_multiplier_times_rate(build: Any) -> None:
    """[M14] 10 more at 100 times 50, a euro at 1.1, beside the 10 of EXTERNAL."""
    desk = build.desk({}, {"EXTERNAL": {1: 10}})
    looked_at = candidate(build, contract=replace(ES, currency="EUR"), rate=Decimal("1.1"))
    settings: dict[str, Any] = {"sec_types_allowed": ("STK", "FUT")}
    bound = "position_notional_max"
    assert refused(build, looked_at, desk, **{bound: Decimal(110_000)}, **settings) is None
    entry = refused(build, looked_at, desk, **{bound: Decimal(109_999)}, **settings)
    check(entry, bound, "110000.00", "109999")


@pytest.mark.parametrize("rule", ["order_notional_max", "position_notional_max"])
def test_a_close_may_be_worth_any_money(build: Any, rule: str) -> None:
    """[N6]"""
    desk = build.desk({}, {"a": {1: 100}})
    looked_at = candidate(build, -100, reducing=True)
    assert refused(build, looked_at, desk, **{rule: Decimal(1)}) is None


@pytest.mark.parametrize(("quantity", "passes"), [(20, True), (21, False)])
def test_a_position_is_worth_at_most_position_notional_max(
    build: Any, quantity: int, passes: bool
) -> None:
    """EXTERNAL's 30 count: the position is the broker's."""
    desk = build.desk({}, {"a": {1: 50}, "EXTERNAL": {1: 30}})
    entry = refused(build, candidate(build, quantity), desk, position_notional_max=Decimal(10_000))
    assert (entry is None) is passes
    if entry is not None:
        check(entry, "position_notional_max", "10100.00", "10000")


@pytest.mark.parametrize("held", [{"a": {1: 20}}, {"a": {1: 20}, "EXTERNAL": {1: 5}}])
@pytest.mark.parametrize(("quantity", "passes"), [(-20, True), (-21, False), (5, True)])
def test_no_book_goes_short_where_shorts_are_off(
    build: Any, held: dict[str, Any], quantity: int, passes: bool
) -> None:
    """Book *and* broker: EXTERNAL's 5 are not a's to sell."""
    entry = refused(build, candidate(build, quantity), build.desk({}, held), short_allowed=False)
    assert (entry is None) is passes
    if entry is not None:
        check(entry, "short_allowed", "-1", "0")


def test_the_broker_does_not_go_short_where_shorts_are_off(build: Any) -> None:
    """Someone sold 5 of a's 20 by hand."""
    desk = build.desk({}, {"a": {1: 20}, "EXTERNAL": {1: -5}})
    entry = refused(build, candidate(build, -20), desk, short_allowed=False)
    check(entry, "short_allowed", "-5", "0")


def test_a_short_names_only_those_who_would_be_short(build: Any) -> None:
    """[N8] The others' legs must not fall with theirs."""
    entry = refused(build, crossing(build), short_allowed=False)
    assert entry is not None
    assert entry.strategies == ("b",)


# ---------------------------------------------------------------------- EXTERNAL


@pytest.mark.parametrize(
    ("external", "quantity", "passes"),
    [(-40, -40, True), (-60, -41, False), (-100, -1, False), (-40, 10, True), (40, -100, True)],
)
def test_no_order_shrinks_the_books_and_grows_the_position(
    build: Any, external: int, quantity: int, passes: bool
) -> None:
    """[B5] The books hold 100; someone sold by hand."""
    desk = build.desk({}, {"a": {1: 100}, "EXTERNAL": {1: external}})
    entry = refused(build, candidate(build, quantity), desk)
    assert (entry is None) is passes
    if entry is not None:
        broker = str(100 + external)
        assert (entry.rule, entry.value, entry.bound) == ("external_opposes", broker, "100")
        assert "transfer" in entry.sentence


def test_external_may_be_ignored_for_a_symbol(build: Any) -> None:
    """[B5]"""
    desk = build.desk({}, {"a": {1: 100}, "EXTERNAL": {1: -100}})
    settings = {"external_policy": {"SPY": "ignore"}}
    assert refused(build, candidate(build, -1), desk, **settings) is None


def test_a_cross_moves_nothing_at_the_broker_for_external_to_oppose(build: Any) -> None:
    desk = build.desk({}, {"a": {1: 100}, "EXTERNAL": {1: -100}})
    assert refused(build, crossing(build), desk) is None


# -------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("rule", "parts", "settings"),
    [
        ("order_quantity_max", {}, {"order_quantity_max": Decimal(1)}),
        ("order_notional_max", {}, {"order_notional_max": Decimal(1)}),
        ("position_notional_max", {}, {"position_notional_max": Decimal(1)}),
        ("exchange_rate", {"rate": None}, {}),
        ("quote_age", {"price": None}, {}),
        ("contract_allowed", {}, {"symbols_denied": ("MES",)}),
        ("contract_allowed", {}, {"sec_types_allowed": ("STK",)}),
        ("contract_locked", {}, {"locked": True}),
        ("market_hours", {}, {"closed": True}),
    ],
)
def test_a_refusal_in_a_future_names_its_month(
    build: Any, rule: str, parts: dict[str, Any], settings: dict[str, Any]
) -> None:
    june = replace(ES, symbol="MES", local_symbol="MESM6")
    lock = Lock("MESM6", "unexplained", "look", build.now)
    locks = {"1": lock} if settings.pop("locked", False) else {}
    terms = {1: build.terms(liquid_hours=())} if settings.pop("closed", False) else None
    desk = build.desk(locks=locks, **({"terms": terms} if terms else {}))
    known = {"sec_types_allowed": ("FUT",), **settings}
    entry = refused(build, candidate(build, contract=june, **parts), desk, **known)
    assert entry is not None
    assert entry.rule == rule
    assert "MESM6" in entry.sentence
