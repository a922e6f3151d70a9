"""`python -m gateway.doctor`: is everything as it must be, and what to do where it is not.

Reads only: documents, the lists of topics and subscriptions, and IB under a client id of its own
(IB_DOCTOR_CLIENT_ID). It goes on after what fails, and ends with 0 when nothing is wrong, 1 when
something is, 2 when the environment makes no gateway. Needs what the gateway needs; run it where
the gateway runs, for IB's API is on loopback only. `--json` for programs, `--without-ib` elsewhere.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from gateway.archive import Archive
from gateway.bus import GoogleBus
from gateway.clock import Clock
from gateway.config import Config, Misconfigured, clock_of, from_environment, session_settings
from gateway.core import broker_checkup, checkup, configuration, law, logins
from gateway.core.broker import Reading
from gateway.core.broker_checkup import ClientId
from gateway.core.configuration import Written
from gateway.core.finding import Finding, as_json, exit_code, fail, ok, skip, verdict
from gateway.core.records import Stored
from gateway.inspection import parser_of
from gateway.patience import ClientIdTaken
from gateway.ports import Catalogue, QueryStore
from gateway.safety import Unsafe
from gateway.session import BrokerUnavailable, Session
from gateway.store import GoogleStore
from schemas import codec
from schemas.documents import ExecutionDocument, LeaseDocument, SnapshotDocument, path_of
from schemas.settings import Settings, StrategyDocument
from schemas.values import Contract, Mode

QUOTED = Contract("SPY")
"""Asked for to see what market data there are; everybody who trades US stocks has it."""

PORT_SECONDS = 5.0
"""To reach a port on this machine takes no time at all."""

UNREADABLE = "deploy the version that wrote it, or mend the document in the Firestore console"

STEP = "see the sentence; the checks that need it are left out"

type Check = Callable[[], Awaitable[Sequence[Finding]]]


@dataclass(slots=True)
class Doctor:
    """One look at one mode. `tell` gets each finding as soon as it is made."""

    config: Config
    store: QueryStore
    bus: Catalogue
    clock: Clock
    tell: Callable[[Finding], None] = lambda _finding: None
    findings: list[Finding] = field(default_factory=list)
    _settings: Settings = field(default_factory=Settings)
    _strategies: dict[str, StrategyDocument] = field(default_factory=dict)
    _stored: Stored | None = None
    _lease: LeaseDocument | None = None
    _snapshot: SnapshotDocument | None = None
    _reading: Reading | None = None
    _ahead_seconds: float = 0.0

    async def look(self, *, without_ib: bool = False) -> list[Finding]:
        """Make all checks, in order; none of them stops the others."""
        if await self._check("firestore", self._firestore):
            await self._check("configuration", self._configuration)
            await self._check("documents", self._documents)
        else:
            self._add(skip("documents", "not read: Firestore cannot be reached"))
        await self._check("topics", self._topics)
        if without_ib:
            self._add(skip("ib api", "not asked, as --without-ib says"))
        else:
            await self._check("ib api", self._broker)
        await self._check("login", self._login)
        if self._stored is not None:
            await self._check("orders", self._orders)
            await self._check("master client", self._master)
        self._add(checkup.dead_letters(self._mode))
        return self.findings

    @property
    def _mode(self) -> Mode:
        return self.config.mode

    @property
    def _archive(self) -> Archive:
        return Archive(self.store, self.config.mode)

    @property
    def _real_now(self) -> datetime:
        """Real time by Firestore's clock, which the gateway's machine and this one share."""
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() + self._ahead_seconds, UTC)

    def _add(self, *findings: Finding) -> None:
        self.findings.extend(findings)
        for finding in findings:
            self.tell(finding)

    async def _check(self, name: str, check: Check) -> bool:
        """Make one check; whatever it raises is what it found. False if it raised."""
        try:
            self._add(*await check())
        except codec.Invalid as error:
            self._add(fail(name, str(error), UNREADABLE))
        except Exception as error:  # a doctor that ends by what is wrong tells nothing
            self._add(fail(name, _sentence(error), STEP))
        else:
            return True
        return False

    async def _firestore(self) -> Sequence[Finding]:
        before = datetime.now(UTC)
        theirs = await self.store.time()
        after = datetime.now(UTC)
        middle = before + (after - before) / 2
        self._ahead_seconds = (theirs - middle).total_seconds()
        milliseconds = (after - before).total_seconds() * 1000
        project = self.config.google_cloud_project
        return [
            ok("firestore", f"project {project} answers in {milliseconds:.0f} ms"),
            checkup.clock("clock", "Firestore's clock", self._ahead_seconds),
        ]

    async def _configuration(self) -> Sequence[Finding]:
        collections = ("config", "control", "strategies")
        read = await asyncio.gather(*map(self.store.list, collections))
        documents = {path: data for found in read for path, data in found.items()}
        written = Written(self._mode, documents)
        self._settings = configuration.settings_of(written)
        self._strategies = configuration.strategies_of(written)
        return [checkup.configured(written)]

    async def _documents(self) -> Sequence[Finding]:
        archive, mode = self._archive, self._mode
        self._lease = await archive.read(LeaseDocument, path_of(LeaseDocument, mode=mode))
        self._add(checkup.lease(self._lease, self._real_now))
        self._snapshot = await archive.read(SnapshotDocument, path_of(SnapshotDocument, mode=mode))
        self._add(checkup.reconciled(mode, self._snapshot, self.clock.now()))
        stored = self._stored = await archive.stored()
        return [
            checkup.trading(mode, await archive.control_or_halt(), stored.latches),
            *checkup.closures(mode, stored.latches),
            checkup.locks(mode, stored.latches.locks),
        ]

    async def _topics(self) -> Sequence[Finding]:
        topics, subscriptions = await asyncio.gather(self.bus.topics(), self.bus.subscriptions())
        return [checkup.topology(self._mode, self._strategies, topics, subscriptions)]

    async def _login(self) -> Sequence[Finding]:
        restart_at = self.config.ib_daily_restart
        return [logins.login(self.clock.now(), self._mode, restart_at)]

    async def _orders(self) -> Sequence[Finding]:
        assert self._stored is not None  # else it is not asked
        return [checkup.orders(self._mode, self._stored.orders.values(), self.clock.now())]

    async def _master(self) -> Sequence[Finding]:
        found = await self.store.find("executions", "order_ref", "")
        foreign = [codec.from_document(ExecutionDocument, data) for data in found.values()]
        return [checkup.master(self.config.ib_client_id, foreign)]

    async def _broker(self) -> Sequence[Finding]:
        """IB, from the port to what the account holds."""
        host, port = self.config.ib_host, self.config.ib_port
        error = await _port_error(host, port)
        self._add(broker_checkup.port(host, port, error))
        if error:
            return broker_checkup.not_asked("the IB Gateway cannot be reached")
        session = self._session(self.config.ib_doctor_client_id)
        async with AsyncExitStack() as leaving:
            leaving.push_async_callback(session.close)
            refusal = await self._open(session)
            if refusal is not None:
                self._add(refusal)
                open_still = broker_checkup.not_asked("there is no session with IB")
                return [finding for finding in open_still if finding.check != refusal.check]
            await self._ask(session)
        return []

    async def _open(self, session: Session) -> Finding | None:
        try:
            await session.connect()
        except Unsafe as error:
            return broker_checkup.unsafe(str(error))
        except ClientIdTaken:
            return broker_checkup.id_taken(self.config.ib_doctor_client_id)
        except BrokerUnavailable as error:
            return broker_checkup.unanswered(str(error))
        return None

    async def _ask(self, session: Session) -> None:
        """All that is asked over a session, each question by itself."""
        documented = self._snapshot.account if self._snapshot else ""
        own = self.config.ib_doctor_client_id
        self._add(broker_checkup.answered(session.server_version, own))
        self._add(broker_checkup.account(self._mode, session.account, documented))
        await self._check("client ids", self._client_ids)
        await self._check("ib clock", lambda: self._ib_clock(session))
        await self._check("market data", lambda: self._market_data(session))
        if self._stored is None:
            self._add(skip("law", "not compared: the documents were not read"))
        else:
            await self._check("law", lambda: self._law(session))

    async def _client_ids(self) -> Sequence[Finding]:
        """The commander's id is tried only while no commander lives: it must find it free."""
        config = self.config
        why_not = "whose lease could not be read" if self._stored is None else ""
        if checkup.is_live(self._lease, self._real_now):
            why_not = "whose lease is live"
        taken = None if why_not else await self._is_taken(config.ib_client_id)
        guarded = await self._is_taken(config.ib_guard_client_id)
        return broker_checkup.client_ids(
            config.ib_doctor_client_id,
            ClientId(config.ib_client_id, taken, why_not),
            ClientId(config.ib_guard_client_id, guarded),
        )

    async def _is_taken(self, client_id: int) -> bool:
        session = self._session(client_id)
        try:
            await session.connect()
        except ClientIdTaken:
            return True
        finally:
            await session.close()
        return False

    async def _ib_clock(self, session: Session) -> Sequence[Finding]:
        """Against the clock that the gateway goes by, the simulator's where there is one."""
        theirs = await session.time()
        ahead_seconds = (theirs - self.clock.now()).total_seconds()
        return [checkup.clock("ib clock", "IB's clock", ahead_seconds)]

    async def _market_data(self, session: Session) -> Sequence[Finding]:
        quote = await session.quote(QUOTED)
        allowed = self._settings.delayed_data_allowed
        return [broker_checkup.market_data(self._mode, quote, allowed)]

    async def _law(self, session: Session) -> Sequence[Finding]:
        """Our books against what the broker has now, and our open orders against its."""
        assert self._stored is not None  # else it is not asked
        reading = await session.read()
        self._stored = await self._archive.stored()  # both from the same moment, as near as can be
        positions = {str(held.contract.con_id): held for held in reading.positions}
        balances = law.balances(positions, self._stored.ledgers).values()
        return [
            checkup.law(self._mode, balances, "by IB's positions of now"),
            broker_checkup.open_orders(self._mode, reading.open_orders, self._stored.orders),
        ]

    def _session(self, client_id: int) -> Session:
        """Delayed prices are asked for, so that delayed and none can be told apart."""
        settings = replace(session_settings(self.config, client_id), delayed_data_allowed=True)
        return Session(settings, self.clock.now, lambda _event: None)


async def _port_error(host: str, port: int) -> str:
    """Why nothing can be reached there; empty if something listens."""
    try:
        async with asyncio.timeout(PORT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no answer in {PORT_SECONDS:g} s"
    except OSError as error:
        return error.strerror or str(error)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return ""


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


async def examined(config: Config, tell: Callable[[Finding], None], without_ib: bool) -> None:
    """The checks over Google's services and the IB Gateway that the settings name."""
    async with AsyncExitStack() as leaving:
        store = GoogleStore(config.google_cloud_project)
        leaving.push_async_callback(store.close)
        bus = GoogleBus(config.google_cloud_project)
        leaving.push_async_callback(bus.close)
        doctor = Doctor(config, store, bus, clock_of(config), tell)
        await doctor.look(without_ib=without_ib)


def _environment(found: list[Finding], tell: Callable[[Finding], None]) -> Config | None:
    """The first check. None when nothing else can be checked."""
    try:
        config = from_environment(os.environ)
        clock_of(config)
    except Misconfigured as error:
        tell(fail("environment", str(error), "set the variable: gateway/config.py lists them all"))
        return None
    project, mode = config.google_cloud_project, config.mode
    tell(ok("environment", f"it makes a {mode} gateway of project {project}"))
    return config


def _options(arguments: Sequence[str] | None) -> Any:
    parser = parser_of("gateway.doctor", __doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--without-ib", action="store_true", help="ask nothing of IB")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; the exit code is 0 if nothing is wrong, 1, or 2 for the environment."""
    options = _options(arguments)
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)  # our own sentences say it
    found: list[Finding] = []

    def tell(finding: Finding) -> None:
        found.append(finding)
        if not options.json:
            print(finding.line, flush=True)

    config = _environment(found, tell)
    if config is not None:
        try:
            asyncio.run(examined(config, tell, options.without_ib))
        except Exception as error:  # as above: it is a finding too
            tell(fail("google", _sentence(error), STEP))
    print(as_json(found) if options.json else verdict(found))
    return exit_code(found) if config is not None else 2


if __name__ == "__main__":
    sys.exit(main())
