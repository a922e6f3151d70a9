"""Firestore by the types of `schemas.documents`: what the commander reads and writes it through."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, cast

from gateway.core.configuration import COMMON, overlaid
from gateway.core.records import Documents, Stored, whole
from gateway.ports import Create, Delete, Document, Put, Reads, Store, Write
from gateway.store_rules import check_document_path
from schemas import codec
from schemas.documents import (
    ExecutionDocument,
    GenerationDocument,
    LatchesDocument,
    LedgerDocument,
    OrderDocument,
    RunDocument,
    StatusDocument,
    TargetsDocument,
    path_of,
)
from schemas.settings import ControlDocument, Settings, StrategyDocument
from schemas.values import ALL_POSITIONS, Mode, check_strategy_id


def _unfenced() -> None:
    """For those who write without a lease."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One mode's documents, typed. Raises what the store raises, and `codec.Invalid`.

    `fence` is asked before each `write` and raises when we may write no more: a gateway that slept
    past its lease must not put its old books over those of the next one [R3].
    """

    store: Store
    mode: Mode
    fence: Callable[[], None] = _unfenced
    _last: dict[str, tuple[Document, Any]] = field(default_factory=dict, repr=False, compare=False)
    """What people set as it was read last: it is read for every net, and rarely different."""

    async def read[T](self, kind: type[T], path: str) -> T | None:
        """One document, or None."""
        found = await self.store.get(path)
        return None if found is None else decoded(kind, path, found)

    async def order(self, path: str) -> OrderDocument | None:
        """An order with all its executions, or None."""
        found = await self.read(OrderDocument, path)
        return None if found is None else await self._whole(found)

    async def collection[T](self, kind: type[T], collection: str) -> dict[str, T]:
        """The documents of a collection by their last path segment."""
        found = await self.store.list(collection)
        return {path.rpartition("/")[2]: decoded(kind, path, data) for path, data in found.items()}

    async def write(
        self,
        documents: Documents,
        created: Documents | None = None,
        deleted: Sequence[str] = (),
    ) -> None:
        """Write all or nothing; what is `created` must not exist yet."""
        self.fence()
        gone = [Delete(path) for path in deleted]
        await self.store.commit([*writes(documents, created or {}), *gone])

    async def settings(self) -> Settings:
        """`config/common` overlaid by `config/{mode}`; a wrong field is told with its document."""
        return self._overlaid(await self.store.read(self._config_paths))

    async def settings_and_control(
        self,
    ) -> tuple[Settings | codec.Invalid, ControlDocument | codec.Invalid]:
        """Both in one call, or for each why it cannot be read; an absent control is a halt."""
        path = path_of(ControlDocument, mode=self.mode)
        found = await self.store.read([*self._config_paths, path])
        data = found[path]
        return (
            _or_invalid(lambda: self._overlaid(found)),
            _or_invalid(lambda: self._decoded(ControlDocument, path, {} if data is None else data)),
        )

    async def strategies(self) -> tuple[dict[str, StrategyDocument], list[str]]:
        """All of `strategies/`, and a sentence for each that cannot be read.

        Such a one counts as there and not enabled: what it holds stays, nothing is bought for it.
        """
        read: dict[str, StrategyDocument] = {}
        wrong: list[str] = []
        for path, data in (await self.store.list("strategies")).items():
            name = path.rpartition("/")[2]
            try:
                check_strategy_id(name)
                read[name] = self._decoded(StrategyDocument, path, data)
            except ValueError as error:
                read[name] = StrategyDocument()
                wrong.append(str(error))
        return read, wrong

    async def control_or_halt(self) -> ControlDocument:
        """`control/{mode}`; absent or with a wrong word in it, it is halted."""
        path = path_of(ControlDocument, mode=self.mode)
        return control_or_halt(path, await self.store.get(path))

    async def stored(self) -> Stored:
        """What the last gateway left."""
        root = f"positions/{self.mode}"
        holdings = await self.store.list(f"{root}/holdings")
        ledgers = {path.rpartition("/")[2]: data for path, data in holdings.items()}
        orders = await self.collection(OrderDocument, f"{root}/openOrders")
        return Stored(
            latches=await self.read(LatchesDocument, path_of(LatchesDocument, mode=self.mode))
            or LatchesDocument(),
            status=await self.read(StatusDocument, path_of(StatusDocument, mode=self.mode)),
            ledgers={
                name: decoded(LedgerDocument, f"{root}/holdings/{name}", data)
                for name, data in ledgers.items()
                if name != ALL_POSITIONS
            },
            targets=await self.collection(TargetsDocument, f"{root}/targets"),
            orders={ref: await self._whole(order) for ref, order in orders.items()},
            generations=await self.collection(GenerationDocument, f"{root}/generations"),
        )

    async def unfinished_runs(self) -> tuple[list[RunDocument], list[str]]:
        """Runs that a gateway left open when it ended, and a sentence for each unreadable one.

        Such as a newer gateway's: it is nothing to go on with, so it keeps nobody from starting.
        """
        found: dict[str, Any] = {}
        for state in ("STARTED", "ASKED"):
            found.update(await self.store.find("runs", "state", state))
        runs: list[RunDocument] = []
        wrong: list[str] = []
        for path, data in found.items():
            try:
                runs.append(decoded(RunDocument, path, data))
            except codec.Invalid as error:
                wrong.append(f"{error}; it stays open, set its state to DONE by hand")
        return runs, wrong

    async def _whole(self, order: OrderDocument) -> OrderDocument:
        if not order.executions_apart:
            return order
        found = await self.store.find("executions", "order_ref", order.order_ref)
        return whole(order, (decoded(ExecutionDocument, *one) for one in found.items()))

    @property
    def _config_paths(self) -> list[str]:
        return [path_of(Settings, name=name) for name in (COMMON, self.mode)]

    def _overlaid(self, found: Reads) -> Settings:
        for path in self._config_paths:
            self._decoded(Settings, path, found[path] or {})
        common, own = (found[path] for path in self._config_paths)
        return self._decoded(Settings, " with ".join(self._config_paths), overlaid(common, own))

    def _decoded[T](self, kind: type[T], path: str, data: Document) -> T:
        """The typed document; the same object as long as the data are the same."""
        known = self._last.get(path)
        if known is not None and known[0] == data:
            return cast(T, known[1])
        document = decoded(kind, path, data)
        self._last[path] = (data, document)
        return document

    async def transact(
        self, reads: Sequence[str], decide: Callable[[Reads], Sequence[Write]]
    ) -> Reads:
        """The store's own transaction."""
        return await self.store.transact(reads, decide)


def decoded[T](kind: type[T], path: str, data: Document) -> T:
    """The typed document. Raises `codec.Invalid`, whose text names the document and the field."""
    try:
        document = codec.from_document(kind, data)
    except codec.Invalid as error:
        raise codec.Invalid(f"{path}: {error}") from error
    for one in fields(document):  # type: ignore[arg-type]
        number = getattr(document, one.name)
        if isinstance(number, Decimal) and not number.is_finite():
            raise codec.Invalid(f"{path}: {one.name}: must be a finite number, not {number}")
    return document


def _or_invalid[T](read: Callable[[], T]) -> T | codec.Invalid:
    try:
        return read()
    except codec.Invalid as error:
        return error


def control_or_halt(path: str, data: Document | None) -> ControlDocument:
    """A `control/{mode}` that was read: absent, or with a wrong word in it, it is a halt."""
    try:
        return ControlDocument() if data is None else decoded(ControlDocument, path, data)
    except codec.Invalid as error:
        return ControlDocument(by="gateway", reason=str(error))


def run_path(run_id: str) -> str:
    """Where a run's document lies. Raises `ValueError` for an id that names none."""
    path = path_of(RunDocument, run_id=run_id)
    check_document_path(path)
    return path


def writes(documents: Mapping[str, Any], created: Mapping[str, Any]) -> list[Write]:
    """Typed documents as the store's writes."""
    return [
        *(Create(path, codec.to_document(document)) for path, document in created.items()),
        *(Put(path, codec.to_document(document)) for path, document in documents.items()),
    ]
