"""Limits on what may be traded at all, through the whole table that netting asks."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.core import book
from gateway.core.broker import masked
from gateway.core.events import NetCause
from gateway.core.limits import Candidate, refusal
from gateway.core.netting import net
from schemas.documents import RefusalEntry
from schemas.messages import Target
from schemas.values import Contract, Mode


def candidate(build: Any, **parts: Any) -> Candidate:
    """An increasing order of 10 SPY for a at a fresh price of 100, asked for by a run."""
    known = {"contract": build.spy, "quantity": Decimal(10), "shares": build.shares({"a": 10})}
    asked = {"reducing": False, "cause": "barrier"}
    money = {"price": build.price(), "rate": Decimal(1)}
    return Candidate(**{**known, **asked, **money, **parts})


def refused(build: Any, **settings: Any) -> RefusalEntry | None:
    """What the table says of the order, or of the contract given, under these settings."""
    parts = {key: settings.pop(key) for key in ("contract", "reducing") if key in settings}
    desk = build.settings_of(build.desk(), **settings)
    return refusal(candidate(build, **parts), desk, build.now)


# ---------------------------------------------------------------------- account against mode


@pytest.mark.parametrize("reducing", [True, False])
@pytest.mark.parametrize(
    ("mode", "account", "passes"),
    [
        (Mode.PAPER, "DU1234567", True),
        (Mode.PAPER, "DF1234567", True),
        (Mode.PAPER, "U1234567", False),
        (Mode.PAPER, "F1234567", False),
        (Mode.PAPER, "D1234567", False),
        (Mode.LIVE, "U1234567", True),
        (Mode.LIVE, "F1234567", True),
        (Mode.LIVE, "DU1234567", False),
        (Mode.LIVE, "DF1234567", False),
        (Mode.LIVE, "I1234567", False),
    ],
)
def test_the_account_is_of_the_modes_kind(
    build: Any, mode: Mode, account: str, passes: bool, reducing: bool
) -> None:
    """[L account prefix] Nothing at all passes otherwise, also not what reduces."""
    desk = build.desk(mode=mode, values=replace(build.base, account=account))
    entry = refusal(candidate(build, reducing=reducing), desk, build.now)
    assert (entry is None) is passes
    if entry is not None:
        assert (entry.rule, entry.value) == ("account_prefix", masked(account))
        assert f"the account is {masked(account)}, and" in entry.sentence
        assert entry.bound == {"paper": "DU or DF", "live": "U or F"}[mode]
        assert entry.bound in entry.sentence


def test_an_account_that_nobody_knows_trades_nothing(build: Any) -> None:
    entry = refusal(candidate(build, reducing=True), build.desk(values=None), build.now)
    assert entry is not None
    assert (entry.rule, entry.value) == ("account_prefix", "none")


# ---------------------------------------------------------------------- which contracts


@pytest.mark.parametrize(
    ("settings", "value", "bound"),
    [
        ({}, None, None),
        ({"symbols_allowed": ("SPY", "VIXY")}, None, None),
        ({"symbols_allowed": ("spy",)}, None, None),
        ({"symbols_allowed": ("SPYX", "VIXY")}, "SPY", "SPYX, VIXY"),
        ({"symbols_denied": ("SPYX",)}, None, None),
        ({"symbols_denied": ("VIXY", "SPY")}, "SPY", "not VIXY, SPY"),
        ({"symbols_denied": ("spy",)}, "SPY", "not spy"),
        ({"symbols_allowed": ("SPY",), "symbols_denied": ("SPY",)}, "SPY", "not SPY"),
        ({"sec_types_allowed": ("CASH", "STK")}, None, None),
        ({"sec_types_allowed": ("CASH",)}, "STK", "CASH"),
        ({"sec_types_allowed": ()}, "STK", "nothing"),
    ],
)
def test_only_contracts_that_people_allow_are_traded(
    build: Any, settings: dict[str, Any], value: str | None, bound: str | None
) -> None:
    """[L contract allowed]"""
    entry = refused(build, **settings)
    assert (entry is None) is (value is None)
    if entry is not None:
        assert (entry.rule, entry.value, entry.bound) == ("contract_allowed", value, bound)
        assert entry.sentence.startswith("SPY is ")


@pytest.mark.parametrize(
    "settings",
    [{"symbols_allowed": ("VIXY",)}, {"symbols_denied": ("SPY",)}, {"sec_types_allowed": ()}],
)
def test_what_is_not_allowed_any_more_may_be_sold(build: Any, settings: dict[str, Any]) -> None:
    """[N6]"""
    assert refused(build, reducing=True, **settings) is None


@pytest.mark.parametrize(
    ("multiplier", "allowed", "bound"),
    [
        (1, ("STK",), "STK"),
        (1, ("STK", "FUT"), "a known multiplier"),
        (50, ("FUT",), None),
        (50, ("STK",), "STK"),
    ],
)
def test_no_multiplier_is_taken_for_1(
    build: Any, multiplier: int, allowed: tuple[str, ...], bound: str | None
) -> None:
    """An ES future at 6000 is 300000 of notional, not 6000: allowing FUT alone is not enough."""
    future = Contract("ES", sec_type="FUT", con_id=1, multiplier=Decimal(multiplier))
    entry = refused(build, contract=future, sec_types_allowed=allowed)
    assert (entry.bound if entry else None) == bound


def test_the_refusal_of_a_multiplier_of_1_says_what_to_do(build: Any) -> None:
    """Targets stored before they carried a multiplier have 1; the broker knows better [M14]."""
    future = Contract("ES", sec_type="FUT", con_id=1)
    entry = refused(build, contract=future, sec_types_allowed=("FUT",))
    assert entry is not None
    assert "ES is FUT with a multiplier of 1" in entry.sentence
    assert "say its targets anew" in entry.sentence


@pytest.mark.parametrize(("target", "ordered"), [(-1, -2), (0, -2), (1, -1)])
def test_with_a_multiplier_of_1_only_a_close_goes_on(build: Any, target: int, ordered: int) -> None:
    """[N6, M14] EXTERNAL's 5 make every sale reduce; of what grows a's book the way to 0 stays."""
    unknown = Contract("ES", sec_type="FUT", con_id=1)
    said = build.said("a", {})
    named = Target("ES", Decimal(target), sec_type="FUT", con_id=1)
    entry = build.entry(2)
    books = {"a": book.post(book.EMPTY, unknown, entry), "EXTERNAL": build.ledger({1: 5})}
    desk = build.desk({"a": replace(said, targets=(named,))}, ledgers=books)
    plan = build.net(build.settings_of(desk, sec_types_allowed=("STK", "FUT")))
    assert [o.quantity for o in plan.orders] == [ordered]
    assert [e.bound for e in plan.refusals] == (["a known multiplier"] if target < 0 else [])


@pytest.mark.parametrize("allowed", [("STK",), ("STK", "CASH")])
def test_no_strategy_trades_a_currency_pair_whatever_is_allowed(
    build: Any, allowed: tuple[str, ...]
) -> None:
    """[B1] Balances are the book CASH's, which no law checks: nobody could say whose they are."""
    pair = Contract("EUR", sec_type="CASH", exchange="IDEALPRO", con_id=1)
    entry = refused(build, contract=pair, sec_types_allowed=allowed)
    assert entry is not None
    told = (entry.rule, entry.value, entry.bound)
    assert told == ("contract_allowed", "CASH", "no currency pair")
    assert "change money by hand at the broker" in entry.sentence


@pytest.mark.parametrize("target", [0, -5])
def test_a_currency_pair_that_a_strategy_holds_from_before_is_closed_and_no_more(
    build: Any, target: int
) -> None:
    """[B1, N6] What the book CASH holds lends nobody a position to reduce."""
    pair = Contract("EUR", sec_type="CASH", exchange="IDEALPRO", con_id=1)
    held = {"a": book.post(book.EMPTY, pair, build.entry(20))}
    cash = {"CASH": book.post(book.EMPTY, pair, build.entry(1000))}
    said = replace(
        build.said("a", {}), targets=(Target("EUR", Decimal(target), sec_type="CASH", con_id=1),)
    )
    plan = build.net(build.desk({"a": said}, ledgers={**held, **cash}))
    assert [o.quantity for o in plan.orders] == [-20]
    assert [e.bound for e in plan.refusals] == (["no currency pair"] if target < 0 else [])


# ---------------------------------------------------------------------- after a rejection


@pytest.mark.parametrize(
    ("cause", "outcome", "passes"),
    [
        ("barrier", "rejected", True),
        ("allocate", "rejected", True),
        ("targets", "rejected", False),
        ("cancel confirmed", "rejected", False),
        ("targets", "cancelled", True),
        ("targets", "filled", True),
        ("targets", "not_sent", True),
    ],
)
def test_a_rejection_makes_the_contract_wait_for_the_next_run(
    build: Any, cause: str, outcome: str, passes: bool
) -> None:
    """[N8] By a whole net, so that its cause is what decides."""
    over = build.order({"a": 10}, state="DONE", outcome=outcome, reason="201 no margin")
    desk = build.desk({"a": {1: 10}}, orders=[over], generations={1: 1})
    plan = net(desk, NetCause(cause, "run-2"), build.now)
    assert bool(plan.orders) is passes
    assert [(r.rule, r.value) for r in plan.refusals] == (
        [] if passes else [("order_rejected_before", "paper-1-1")]
    )
    assert all("201 no margin" in r.sentence for r in plan.refusals)
    assert all("say run or allocate" in r.sentence for r in plan.refusals)


def test_only_the_latest_order_of_the_contract_counts(build: Any) -> None:
    """[N8] A rejection that a later order has got over, or another contract's, holds nothing up."""
    rejected = {"state": "DONE", "outcome": "rejected"}
    old = build.order({"a": 10}, **rejected)
    later = build.order(
        {"a": 10}, order_ref="paper-1-2", generation=2, state="DONE", outcome="cancelled"
    )
    other = build.order({"a": 10}, contract=build.vixy, generation=9, **rejected)
    desk = build.desk(orders=[later, old, other])
    assert refusal(candidate(build, cause="targets"), desk, build.now) is None


def test_a_cross_waits_with_its_contract(build: Any) -> None:
    """[N8] Half of what two strategies want must not be done by the books alone."""
    over = build.order({"a": 10}, state="DONE", outcome="rejected")
    desk = build.desk({"a": {1: 10}, "b": {1: -4}}, orders=[over], generations={1: 1})
    plan = net(desk, NetCause("targets", "run-2"), build.now)
    assert (plan.crosses, plan.orders) == ((), ())


FUTURE = Contract("ES", sec_type="FUT", con_id=1)
PAIR = Contract("EUR", sec_type="CASH", exchange="IDEALPRO", con_id=1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"symbols_denied": ("SPY",)}, "SPY is in symbols_denied; want something else"),
        (
            {"symbols_allowed": ("QQQ", "VIXY")},
            "SPY is not in symbols_allowed (QQQ, VIXY); add it there to trade it",
        ),
        (
            {"sec_types_allowed": ("CASH", "FUT")},
            "SPY is STK and sec_types_allowed is CASH, FUT; add STK there to trade it",
        ),
        (
            {"sec_types_allowed": ()},
            "SPY is STK and sec_types_allowed is nothing; add STK there to trade it",
        ),
        (
            {"contract": FUTURE, "sec_types_allowed": ("FUT",)},
            "ES is FUT with a multiplier of 1, as if the broker had told none, so its money "
            "cannot be measured; say its targets anew, and if that does not help want none of it",
        ),
        (
            {"contract": PAIR},
            "EUR in USD is CASH, a currency pair, whose balances are no strategy's; change money "
            "by hand at the broker, and want none of it",
        ),
    ],
)
def test_each_refusal_of_a_contract_is_one_sentence_to_act_on(
    build: Any, settings: dict[str, Any], sentence: str
) -> None:
    """(behaviour 9)"""
    entry = refused(build, **settings)
    assert entry is not None
    assert (entry.sentence, entry.strategies) == (sentence, ("a",))
    assert entry.value in sentence


@pytest.mark.parametrize("account", ["U1234567", ""])
def test_the_refusal_of_an_account_says_which_it_is_and_which_it_must_be(
    build: Any, account: str
) -> None:
    """(behaviour 9)"""
    desk = build.desk(values=replace(build.base, account=account) if account else None)
    entry = refusal(candidate(build), desk, build.now)
    assert entry is not None
    assert entry.sentence == (
        f"SPY: the account is {'U…67' if account else 'none'}, and in paper it must start with "
        f"DU or DF; log the broker's gateway in to the right account"
    )


@pytest.mark.parametrize(
    ("reason", "said"), [("201 margin", "201 margin"), ("", "without a reason")]
)
def test_a_contract_that_waits_says_which_order_was_rejected_and_why(
    build: Any, reason: str, said: str
) -> None:
    """(behaviour 9) [N8]"""
    over = build.order({"a": 10}, state="DONE", outcome="rejected", reason=reason)
    entry = refusal(candidate(build, cause="targets"), build.desk(orders=[over]), build.now)
    assert entry is not None
    assert entry.sentence == (
        f"SPY waits: the broker rejected paper-1-1 ({said}); see to that, then say run or allocate"
    )
    assert (entry.rule, entry.bound) == ("order_rejected_before", "the next run or allocate")
