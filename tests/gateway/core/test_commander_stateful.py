"""The pure core against a broker that lies, forgets and repeats, with crashes anywhere.

Hypothesis picks the rules and their order; `broker_model` is what the core is measured by.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.core import book, closing
from gateway.core.broker import BrokerStatus, MarginPreview, Span, Terms
from gateway.core.desk import Desk
from gateway.core.events import (
    Adopted,
    CancelAsked,
    Configured,
    Event,
    Journaled,
    NetCause,
    Netted,
    Priced,
    Reopened,
    Said,
)
from gateway.core.fold import evolve
from gateway.core.margin import admit, questions
from gateway.core.netting import Barred, Plan, net
from gateway.core.prices import Price
from gateway.core.reconcile import settle
from gateway.core.records import Stored, changed, journal, restored
from schemas import codec
from schemas.commands import CloseAll
from schemas.documents import (
    CrossDocument,
    ExecutionDocument,
    GenerationDocument,
    LatchesDocument,
    LedgerDocument,
    LedgerEntry,
    OrderDocument,
    TargetsDocument,
)
from schemas.messages import Target
from schemas.settings import ControlDocument
from schemas.values import EXTERNAL, Mode, TradingState
from tests.gateway.core.broker_model import Account, Broker

NAMES = ("a", "b", "c")
CONTRACTS = (1, 2)
ROUNDS_MAX = 4
"""Nets until rest: cancel what is wrong, to zero, beyond, and one that finds nothing to do."""
QUANTITY = st.integers(-20, 20).filter(bool)
WISHES = st.dictionaries(st.sampled_from(CONTRACTS), st.integers(-20, 20), min_size=1)
STATUSES = st.sampled_from(["targets", "targets", "targets", "hold", "error"])
STATES = st.sampled_from([*[TradingState.ACTIVE] * 6, *TradingState])
BOTH = st.fixed_dictionaries({con_id: st.integers(-20, 20) for con_id in CONTRACTS})


class Commander(RuleBasedStateMachine):
    """The core's desk with a store of encoded documents, between strategies and the broker."""

    def __init__(self, build: Any) -> None:
        super().__init__()
        self.build = build
        self.now: datetime = build.now
        self.documents: dict[str, tuple[type, dict[str, Any]]] = {}
        self.account = self.account_stored = Account()
        self.broker = Broker(Counter())
        self.opening: Counter[int] = Counter()
        self.strategies = {name: build.strategy() for name in NAMES}
        self.control = ControlDocument(TradingState.ACTIVE)
        self.said: dict[str, TargetsDocument] = {}
        self.said_stored: dict[str, TargetsDocument] = {}
        self.desk = self.persisted = Desk(Mode.PAPER)
        self.numbers = 0
        self.is_open = True

    @initialize(held=st.sampled_from([0, 0, 7]))
    def starts(self, held: int) -> None:
        self.opening[2] = held
        self.broker.positions[2] = held
        self.start()
        self.settles()

    def start(self) -> None:
        """A new gateway: the documents, what people set, nothing else.

        Reports under way to the last one still come, late: the documents know the revisions.
        """
        epoch = self.desk.epoch + 1
        self.desk = restored(Desk(Mode.PAPER, epoch=epoch, connected=True), self.stored())
        self.happen(Configured(self.build.settings(), self.strategies))
        self.happen(self.control)
        self.persisted = self.desk

    def happen(self, event: Event) -> None:
        self.desk = evolve(event, self.desk, self.now)
        if isinstance(event, ExecutionDocument):
            self.account.hear(event)

    def persist(self) -> None:
        self.write(changed(self.persisted, self.desk))
        self.persisted = self.desk
        self.account_stored = self.account.copy()
        self.said_stored = dict(self.said)

    def write(self, documents: Mapping[str, Any]) -> None:
        for path, one in documents.items():
            self.documents[path] = (type(one), codec.to_document(one))

    def stored(self) -> Stored:
        latches = self.kept(LatchesDocument).get("paper", LatchesDocument())
        return Stored(
            latches=latches,
            ledgers=self.kept(LedgerDocument),
            targets=self.kept(TargetsDocument),
            orders=self.kept(OrderDocument),
            generations=self.kept(GenerationDocument),
        )

    def kept[T](self, kind: type[T]) -> dict[str, T]:
        return {
            path.rpartition("/")[2]: codec.from_document(kind, data)
            for path, (written, data) in self.documents.items()
            if written is kind
        }

    # ------------------------------------------------------------------ people and strategies

    @rule(name=st.sampled_from(NAMES), wishes=WISHES, status=STATUSES, age=st.integers(-9, 9))
    def says(self, name: str, wishes: dict[int, int], status: Any, age: int) -> None:
        """Also late: a message may be older than what its strategy said before [T2]."""
        self.numbers += 1
        at = self.now - timedelta(seconds=age)
        known = self.said.get(name)
        targets = tuple(
            Target(self.build.contract(c).symbol, Decimal(q), con_id=c) for c, q in wishes.items()
        )
        said = TargetsDocument(
            name,
            targets if status == "targets" else (),
            as_of=at,
            valid_until=at + timedelta(hours=1),
            last_status=status,
            last_as_of=at,
            message_id=f"m{self.numbers}",
        )
        self.happen(Said(said))
        if known is None or (known.as_of is not None and at > known.as_of):
            self.said[name] = said

    @rule(wishes=st.lists(BOTH, min_size=3, max_size=3), fills=st.booleans())
    def a_run_goes_well(self, wishes: list[dict[int, int]], fills: bool) -> None:
        """The ordinary day, which the accidents need to have something to happen to."""
        self.now += timedelta(seconds=20)
        for name, wish in zip(NAMES, wishes, strict=True):
            self.says(name, wish, "targets", 0)
        self.settles()
        self.carry_out(carried=True, sent=9)
        for order in [*self.broker.travelling]:
            self.broker.arrive(order)
        for live in self.broker.working() if fills else ():
            self.broker.fill(live, (live.left + 1) // 2, self.now)

    @precondition(lambda self: self.account.orders)
    @rule(name=st.sampled_from(NAMES), weight=st.sampled_from(["0.3", "0"]), enabled=st.booleans())
    def configures(self, name: str, weight: str, enabled: bool) -> None:
        one = self.build.strategy(weight=Decimal(weight), enabled=enabled)
        self.strategies = {**self.strategies, name: one}
        self.happen(Configured(self.build.settings(), self.strategies))

    @precondition(lambda self: self.account.orders)
    @rule(state=STATES)
    def a_person_sets_the_state(self, state: TradingState) -> None:
        self.control = ControlDocument(state)
        self.happen(self.control)

    @precondition(lambda self: any(self.desk.unexplained.values()))
    @rule(ledger=st.sampled_from([EXTERNAL, "a"]))
    def a_person_adopts(self, ledger: str) -> None:
        """[B3, B4]"""
        con_id, missing = next((c, q) for c, q in sorted(self.desk.unexplained.items()) if q)
        self.numbers += 1
        entry = LedgerEntry(f"adopt-{self.numbers}", self.now, missing, missing * 100)
        adopted = Adopted(self.build.contract(con_id), ledger, entry)
        self.happen(adopted)
        self.account.adopted.append(adopted)
        self.persist()

    @precondition(lambda self: self.account.orders)
    @rule(names=st.lists(st.sampled_from(NAMES), unique=True), external=st.booleans())
    def a_person_closes(self, names: list[str], external: bool) -> None:
        self.numbers += 1
        command = CloseAll(strategies=tuple(names), external=external or not names)
        closed = closing.closed(self.desk, command, f"c{self.numbers}", self.now)
        self.happen(closed)
        self.said |= closed.targets
        self.persist()

    @precondition(lambda self: self.desk.closed)
    @rule(data=st.data())
    def a_person_resumes(self, data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.desk.closed)))
        self.happen(Reopened((name,)))
        self.persist()

    # ------------------------------------------------------------------ the broker and the line

    @precondition(lambda self: self.broker.travelling)
    @rule(data=st.data())
    def an_order_arrives(self, data: Any) -> None:
        self.broker.arrive(data.draw(st.sampled_from(self.broker.travelling)))

    @precondition(lambda self: self.broker.working())
    @rule(data=st.data(), quantity=st.integers(1, 20))
    def an_order_fills(self, data: Any, quantity: int) -> None:
        live = data.draw(st.sampled_from(self.broker.working()))
        self.broker.fill(live, min(quantity, live.left), self.now)

    @precondition(lambda self: self.broker.working())
    @rule(data=st.data(), status=st.sampled_from([BrokerStatus.CANCELLED, BrokerStatus.REJECTED]))
    def an_order_ends(self, data: Any, status: BrokerStatus) -> None:
        self.broker.end(data.draw(st.sampled_from(self.broker.working())), status)

    @precondition(lambda self: self.broker.orders)
    @rule(data=st.data(), quantity=st.integers(1, 3))
    def an_order_overfills(self, data: Any, quantity: int) -> None:
        live = data.draw(st.sampled_from(list(self.broker.orders.values())))
        if live.status is not BrokerStatus.REJECTED:
            self.broker.fill(live, max(live.left, 0) + quantity, self.now)

    @precondition(lambda self: self.broker.executions)
    @rule(data=st.data(), part=st.sampled_from([0, 0, 1, 2]))
    def an_execution_is_corrected(self, data: Any, part: int) -> None:
        key = data.draw(st.sampled_from(list(self.broker.executions)))
        self.broker.correct(key, int(self.broker.executions[key].quantity) * part // 2)

    @precondition(lambda self: self.account.orders)
    @rule(con_id=st.sampled_from(CONTRACTS), quantity=QUANTITY)
    def somebody_else_trades(self, con_id: int, quantity: int) -> None:
        """[B2]"""
        self.broker.execute((self.build.contract(con_id), "", 0), quantity, self.now)

    @precondition(lambda self: self.broker.reports)
    @rule(data=st.data(), fate=st.sampled_from(["once", "once", "once", "again", "never"]))
    def a_report_comes(self, data: Any, fate: str) -> None:
        """In any order, twice, late, or not at all."""
        report = data.draw(st.sampled_from(self.broker.reports))
        if fate != "never":
            self.happen(report)
        if fate != "again":
            self.broker.reports.remove(report)

    @rule(seconds=st.sampled_from([1, 12, 60, 60, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.account.orders)
    @rule(is_open=st.sampled_from([True, True, False]))
    def the_market_opens_or_closes(self, is_open: bool) -> None:
        self.is_open = is_open

    @precondition(lambda self: self.account.orders and not self.broker.has_forgotten)
    @rule()
    def midnight_passes(self) -> None:
        self.now += timedelta(days=1)
        self.broker.forget()

    # ------------------------------------------------------------------ the commander

    @rule()
    def settles(self) -> None:
        """The four questions, and the law with everything that the broker still tells [R1, B3]."""
        self.desk = settle(self.desk, self.broker.reading(self.build, self.now), self.now)
        for execution in self.broker.trail:
            self.account.hear(execution)
        for con_id in CONTRACTS:
            missing = self.broker.positions[con_id] - sum(self.account.books(con_id).values())
            assert self.desk.unexplained.get(con_id, 0) == missing
            assert not missing or str(con_id) in self.desk.locks
            if not self.broker.has_forgotten:
                adopted = (a for a in self.account.adopted if a.contract.con_id == con_id)
                told = sum(int(a.entry.quantity) for a in adopted)
                assert missing == self.opening[con_id] + self.account.beyond(con_id) - told
        self.persist()

    @rule(carried=st.sampled_from([True, True, False]), sent=st.sampled_from([0, 1, 9, 9, 9]))
    def nets(self, carried: bool, sent: int) -> None:
        self.carry_out(carried, sent)

    def carry_out(self, carried: bool, sent: int) -> Plan:
        """Plan, journal, send; a crash comes before the order `sent` is, if there is one [W1]."""
        self.persist()
        prices = {c: Price(Decimal(100), "last trade", self.now) for c in CONTRACTS}
        self.happen(Priced(prices, {c: self.terms(c) for c in CONTRACTS}))
        plan = self.admitted(carried)
        self.check_plan(plan)
        self.journal(plan)
        self.broker.travelling.extend(plan.orders[:sent])
        if sent < len(plan.orders):
            self.start()
            return plan
        for order_ref in plan.cancels:
            self.broker.orders[order_ref].is_cancel_asked = True
            self.happen(CancelAsked(order_ref))
        self.happen(Netted())
        assert self.admitted(carried).is_empty, "a plan that is taken up leaves nothing to plan"
        return plan

    @rule(lost=st.booleans())
    def crashes(self, lost: bool) -> None:
        """What was not written is lost; a settle later the broker has told it again."""
        if not lost:
            self.persist()
        self.account = self.account_stored.copy()
        self.said = dict(self.said_stored)
        self.start()

    def admitted(self, carried: bool) -> Plan:
        barred: Barred | None = None
        while True:
            plan = net(self.desk, NetCause("allocate", f"r{self.numbers}"), self.now, barred)
            free = MarginPreview(Decimal(1), Decimal(1), Decimal(100_000))
            preview = free if carried else MarginPreview(refusal="no margin")
            asked = {order.order_ref: preview for order in questions(plan)}
            admission = admit(self.desk, plan, asked, barred)
            if admission.barred is None:
                return admission.plan
            assert admission.barred != barred
            barred = admission.barred

    def terms(self, con_id: int) -> Terms:
        """Of a session that began an hour ago, or has just ended and comes again in an hour."""
        hour = timedelta(hours=1)
        sessions = [(-hour, hour)] if self.is_open else [(-hour, 0 * hour), (hour, 2 * hour)]
        spans = tuple(Span(self.now + opens, self.now + closes) for opens, closes in sessions)
        told: Terms = self.build.terms(con_id, liquid_hours=spans)
        return told

    def check_plan(self, plan: Plan) -> None:
        made: tuple[OrderDocument | CrossDocument, ...] = (*plan.orders, *plan.crosses)
        for one in made:
            self.check_allowed(one)
        assert self.is_open or not plan.orders
        for order in plan.orders:
            assert sum(s.quantity for s in order.allocations) == order.quantity
            assert all(s.quantity * order.quantity > 0 for s in order.allocations)
        for cross in plan.crosses:
            assert sum(s.quantity for s in cross.shares) == 0

    def check_allowed(self, one: OrderDocument | CrossDocument) -> None:
        con_id = one.contract.con_id
        assert self.control.state is not TradingState.HALTED
        assert str(con_id) not in self.desk.locks
        assert one.epoch == self.desk.epoch
        assert self.desk.read_at is not None, "nothing is ordered before the four questions"
        assert not any(o.contract.con_id == con_id for o in self.alive())
        if self.control.state is TradingState.REDUCE_ONLY:
            self.check_reduces(one)

    def check_reduces(self, one: OrderDocument | CrossDocument) -> None:
        shares = one.allocations if isinstance(one, OrderDocument) else one.shares
        held = self.account.books(one.contract.con_id)
        for share in shares:
            before = held.get(share.strategy, 0)
            assert before * share.quantity < 0
            assert abs(share.quantity) <= abs(before)

    def journal(self, plan: Plan) -> None:
        made = Journaled(plan.orders, plan.crosses)
        before = self.desk
        self.happen(made)
        created, documents = journal(before, self.desk, plan.orders, plan.crosses)
        assert not created.keys() & self.documents.keys(), "a number is used once, for ever"
        self.write({**created, **documents})
        self.account.orders |= {order.order_ref: order for order in plan.orders}
        self.account.crosses.extend(plan.crosses)
        self.account_stored = self.account.copy()

    def alive(self) -> list[OrderDocument]:
        return [order for order in self.desk.orders.values() if order.state != "DONE"]

    # ------------------------------------------------------------------ always

    @invariant()
    def every_book_is_what_was_heard_and_crossed(self) -> None:
        """[A1, A2, A3, N4, B2]"""
        for con_id in CONTRACTS:
            held = {n: int(book.quantity(b, con_id)) for n, b in self.desk.ledgers.items()}
            assert {n: q for n, q in held.items() if q} == self.account.books(con_id)

    @invariant()
    def what_waits_for_a_net_is_due(self) -> None:
        """[N1d, N6] Also by the documents, after a restart: what waits is due, or was made."""
        for order in self.desk.orders.values():
            made = self.desk.generations.get(order.contract.con_id, 0) > order.generation
            assert not order.waits_for_net or self.desk.cause is not None or made

    @invariant()
    def one_parent_is_alive_in_a_contract(self) -> None:
        """[N5]"""
        contracts = [order.contract.con_id for order in self.alive()]
        assert len(contracts) == len(set(contracts))

    @invariant()
    def no_more_can_be_filled_than_is_counted_in_flight(self) -> None:
        """The broker may still fill at most what the parent lacks; what is over cannot fill."""
        for order in self.alive():
            live = self.broker.orders.get(order.order_ref)
            if live is not None and live.status is BrokerStatus.WORKING:
                assert max(live.left, 0) <= abs(order.quantity - order.filled)

    # ------------------------------------------------------------------ in the end

    def teardown(self) -> None:
        """Once everything is told, a few nets reach every target, or the plan says why not."""
        if not self.desk.epoch:
            return
        self.is_open = True
        self.drain()
        for name in NAMES[:2]:
            self.says(name, {1: 5, 2: -5 if name == "a" else 3}, "targets", -1)
        for _ in range(2):  # the second look proves what never got to the broker [R2]
            self.now += timedelta(seconds=11)
            self.settles()
        plan = Plan()
        for _ in range(ROUNDS_MAX):
            plan = self.carry_out(carried=True, sent=9)
            self.drain()
            for live in self.broker.working():
                if self.desk.orders[live.order.order_ref].state != "DONE":  # else it is a stray
                    self.broker.fill(live, live.left, self.now)
            self.drain()
            self.settles()
        assert plan.is_empty, "the nets come to rest"
        self.check_targets(plan)

    def drain(self) -> None:
        for order in [*self.broker.travelling]:
            self.broker.arrive(order)
        for live in self.broker.working():
            if live.is_cancel_asked:
                self.broker.end(live, BrokerStatus.CANCELLED)
        for report in self.broker.reports:
            self.happen(report)
        self.broker.reports.clear()

    def check_targets(self, plan: Plan) -> None:
        refused = {(e.con_id, n) for e in plan.refusals for n in (*e.strategies, "")}
        dropped = {name for entry in plan.refusals for name in entry.strategies}
        if any(entry.rule == "targets_vanished" for entry in plan.refusals):
            return  # the whole net waits for a person, and says so
        external = self.desk.closed.get(EXTERNAL)
        for key in external.contracts if external else ():
            assert (int(key), "") in refused, "EXTERNAL is closed, or it is said why not"
        for con_id in CONTRACTS:
            held = self.account.books(con_id)
            for name in NAMES:
                wanted = self.wanted(name, con_id)
                is_named = (con_id, "") in refused or name in dropped
                assert wanted in (None, held.get(name, 0)) or is_named, (name, con_id, wanted, held)

    def wanted(self, name: str, con_id: int) -> int | None:
        """The effective target, None for hold [N2]."""
        configured, said = self.strategies[name], self.said.get(name)
        if name in self.desk.closed:
            return 0
        if not configured.enabled:
            return None
        if not configured.weight:
            return 0
        if said is None or said.last_status != "targets" or said.valid_until is None:
            return None
        if self.now > said.valid_until:
            return None
        return next((int(t.quantity) for t in said.targets if t.con_id == con_id), None)


def test_the_core_survives_anything_in_any_order(build: Any) -> None:
    """The law and the books [B3, A2], one parent [N5], numbers [W1], and an end to all nets."""

    class Here(Commander):
        def __init__(self) -> None:
            super().__init__(build)

    run_state_machine_as_test(Here, settings=settings(stateful_step_count=40))
