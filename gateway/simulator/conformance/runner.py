"""Runs cases one after the other, each on a connection of its own, and cleans up behind them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.simulator.conformance.case import (
    Case,
    Differs,
    Kind,
    Outcome,
    Result,
    Unsuited,
)
from gateway.simulator.conformance.client import Client, Ended, Silence
from gateway.simulator.conformance.known import judged
from gateway.simulator.conformance.pace import Pace
from gateway.simulator.conformance.report import Report
from gateway.simulator.conformance.safety import CannotRun
from gateway.simulator.conformance.survey import missing_need, survey
from gateway.simulator.conformance.sweep import CLIENT_IDS, CLIENT_IDS_USED, Sweep, reopen
from gateway.simulator.conformance.talk import Facts, Messages, Setting, Talk
from gateway.simulator.market.contracts import Contract

LAST_MINUTES = 10
"""Nothing is bought so near the close: it could not be sold before the next day, which forgets it.
Longer than a case and its cleaning take."""
LOST_MAX = 3
"""So many cases in a row without a connection, and the rest is not tried."""
FINISH_TRIES, FINISH_SECONDS = 10, 12.0
"""A gateway that restarts is back within two minutes, with our orders."""
NOT_UNDONE = (
    "not run: what an earlier case left or traded could not be undone, so no more is traded"
)
Progress = Callable[[Result], None]


@dataclass(slots=True)
class Run:
    """One run. Its `report` grows while it goes on, so that one that is broken off has it too."""

    setting: Setting
    cases: Sequence[Case]
    progress: Progress = lambda _result: None
    pace: Pace = field(default_factory=Pace)
    report: Report = field(default_factory=Report)
    facts: Facts = field(default_factory=Facts)
    contract: Contract = field(default_factory=Contract)
    _surveyed: float = 0.0
    _lost: int = 0
    _may_trade: bool = True
    _unheard: list[tuple[int, int, str]] = field(default_factory=list)
    _is_unsure: bool = False
    _others: int = CLIENT_IDS_USED

    async def play(self) -> Report:
        """All cases, and the cleaning. Raises CannotRun where there is nothing to talk to."""
        self.setting, self.facts, self.contract = await survey(self.setting, self.pace)
        self._surveyed = asyncio.get_running_loop().time()
        self.report.describe(self.setting, self.facts)
        trades = any(case.kind is Kind.TRADE for case in self.cases)
        if trades and self.facts.is_read_only:
            raise CannotRun(
                "the gateway's API is read-only (error 321): --trade needs the box Read-Only API "
                "on its API settings page to be empty"
            )
        sweep = Sweep(self.setting, self.contract, self.pace, said=self.report.cleaning)
        if trades:
            await sweep.begin()
        try:
            for case in self.cases:
                self._note(await self._result(case))
                if case.kind is Kind.TRADE:
                    await self._undo(sweep)
        finally:
            if trades:
                await self._finish(sweep)
        return self.report

    async def _undo(self, sweep: Sweep) -> None:
        """Clean up behind a case. Where that does not succeed, no further case may trade."""
        await self._chase(sweep)
        is_clean = await sweep.clean(others=self._others)
        is_sure = self._may_trade and is_clean and not self._is_unsure
        self._may_trade = is_sure and await sweep.is_as_before()

    async def _chase(self, sweep: Sweep) -> None:
        """Orders of which nothing was heard may trade later: where that stays so, it is said."""
        while self._unheard:
            client_id, order_id, order_ref = self._unheard.pop()
            try:
                self._is_unsure |= not await sweep.chase(client_id, order_id, order_ref)
            except BaseException:
                self._is_unsure = True
                raise

    async def _finish(self, sweep: Sweep) -> None:
        """Also after Ctrl-C and after a failure: nothing of ours stays."""
        self.report.is_clean = False
        trouble: Exception | None = None
        for _ in range(FINISH_TRIES):
            try:
                await self._chase(sweep)
                is_clean = await sweep.clean(others=self._others)
                is_same = await sweep.prove()
                self.report.is_clean = is_clean and is_same and not self._is_unsure
                return
            except (CannotRun, Differs, Silence, Ended) as error:
                trouble = error
                await asyncio.sleep(FINISH_SECONDS)
        sweep.said.append(f"What was traded could not be looked at: {trouble}.")

    def _note(self, result: Result) -> None:
        result = _discreet(judged(result), self.setting.account)
        self.report.results.append(result)
        self.progress(result)

    async def _result(self, case: Case) -> Result:
        need = missing_need(case.needs, self.facts)
        if need is not None:
            return Result(case.name, Outcome.SKIPPED, reason=f"not so here: {need}")
        if case.kind is Kind.TRADE and self._closes_soon():
            reason = f"not so here: {LAST_MINUTES} minutes to the close, to undo what is traded"
            return Result(case.name, Outcome.SKIPPED, reason=reason)
        if case.kind is Kind.TRADE and not self._may_trade:
            return Result(case.name, Outcome.ERROR, reason=NOT_UNDONE)
        if self._lost >= LOST_MAX:
            return Result(case.name, Outcome.ERROR, reason="the gateway is gone")
        try:
            client = await reopen(self.setting, self.pace)
        except CannotRun as error:
            self._lost += 1
            return Result(case.name, Outcome.ERROR, reason=str(error))
        self._lost = 0
        talk = Talk(self.setting, self.facts, client, self.contract, self.pace, clients=[client])
        try:
            return await _told(case, talk)
        finally:
            # Never fewer than before: what one id bought, another may have sold to undo it.
            used = min(len(talk.clients), CLIENT_IDS - 1)
            self._others = max(self._others, used)
            self._unheard += _unheard(talk.clients)
            for opened in talk.clients:
                await opened.close()

    def _closes_soon(self) -> bool:
        now, closes = self.facts.now, self.facts.closes
        if now is None or closes is None:
            return False
        passed = asyncio.get_running_loop().time() - self._surveyed
        return now + timedelta(seconds=passed) > closes - timedelta(minutes=LAST_MINUTES)


def _unheard(clients: Sequence[Client]) -> list[tuple[int, int, str]]:
    """Orders that were sent and of which no client with that id heard anything."""
    return [
        (sender.client_id, order_id, order_ref)
        for sender in clients
        for order_id, order_ref in sender.placed.items()
        if not any(
            client.client_id == sender.client_id and client.has_heard_of(order_id)
            for client in clients
        )
    ]


def _discreet(result: Result, account: str) -> Result:
    """Without the account's id: a report is to be shown to others."""
    texts = {name: getattr(result, name) for name in ("expected", "heard", "reason")}
    return replace(result, **{name: text.replace(account, "DU...") for name, text in texts.items()})


async def _told(case: Case, talk: Talk) -> Result:
    """What came of a case, whatever its body raises."""
    seen: dict[str, str] = {}
    try:
        async with asyncio.timeout(case.seconds_max):
            await case.body(talk)
        _check_layouts(talk)
        outcome = Outcome.PASSED
    except Differs as difference:
        outcome = Outcome.DIFFERS
        seen = {"expected": difference.expected, "heard": difference.heard}
    except (Silence, Ended) as trouble:
        outcome = Outcome.DIFFERS
        seen = {"expected": "an answer on an open connection", "heard": str(trouble)}
    except Unsuited as unsuited:
        outcome, seen = Outcome.SKIPPED, {"reason": str(unsuited)}
    except TimeoutError:
        outcome = Outcome.ERROR
        seen = {"reason": f"the case was not done within {case.seconds_max:g} seconds"}
    except Exception as error:  # a defect of the case: the others shall be run all the same
        outcome, seen = Outcome.ERROR, {"reason": f"{type(error).__name__}: {error}"}
    return Result(case.name, outcome, observations=tuple(talk.observations), **seen)


def _check_layouts(talk: Talk) -> None:
    """Whatever a case is about: a message whose fields do not fit its layout is a difference."""
    heard = Messages(item for client in talk.clients for item in client.heard)
    trouble = sorted({item.trouble for item in heard if item.trouble})
    talk.check(not trouble, "messages with the fields of their layouts", "; ".join(trouble))
