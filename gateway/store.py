"""Firestore, through Google's asyncio client: the store of production and of the emulators.

Google's client retries for a minute or more by default; here every call has a deadline of ours.
`FIRESTORE_EMULATOR_HOST` is honoured when a store is made.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.api_core import exceptions
from google.api_core.retry_async import AsyncRetry, if_exception_type
from google.auth.exceptions import DefaultCredentialsError, TransportError
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from gateway.ports import (
    AlreadyExists,
    Conflict,
    Create,
    Delete,
    Denied,
    Document,
    Reads,
    Unavailable,
    Write,
)
from gateway.store_rules import (
    check_collection_path,
    check_document_path,
    check_field,
    check_value,
    check_writes,
)

TRANSACTION_ATTEMPTS_MAX = 5  # Google's own default; the embedded store gives as many


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Deadlines towards Firestore."""

    # A call takes 4 to 20 ms. The lease is renewed every 10 s: a call that hangs must have failed
    # before the next renewal is due.
    call_deadline_seconds: float = 5.0
    # Collections are read at start and by people's commands only, and may hold a year of orders.
    query_deadline_seconds: float = 15.0
    # Five attempts of some 20 ms; against the emulator each lost one waits 2 s for a lock.
    transaction_deadline_seconds: float = 12.0
    # Rolling back frees locks early; without an answer they time out at the service.
    rollback_deadline_seconds: float = 1.0


_TRANSIENT = (
    exceptions.InternalServerError,
    exceptions.ServiceUnavailable,
    exceptions.TooManyRequests,
    TransportError,
)
_UNANSWERED = (exceptions.DeadlineExceeded, exceptions.RetryError, exceptions.Unknown)
_DENIALS = (exceptions.Forbidden, exceptions.NotFound, exceptions.Unauthenticated)

NO_CREDENTIALS = (
    "there are no Google credentials here; run `gcloud auth application-default login`, or set "
    "GOOGLE_APPLICATION_CREDENTIALS, or for the emulators FIRESTORE_EMULATOR_HOST and "
    "PUBSUB_EMULATOR_HOST"
)


class GoogleStore:
    """A `gateway.ports.Store` over one database; make one per event loop, and use it only there."""

    def __init__(
        self, project: str, database: str = "(default)", settings: StoreSettings | None = None
    ) -> None:
        try:
            self._client = firestore.AsyncClient(project=project, database=database)
        except DefaultCredentialsError as error:
            raise Denied(NO_CREDENTIALS) from error
        self._settings = settings or StoreSettings()

    async def get(self, path: str) -> Document | None:
        """The document, or None. Raises `ValueError` for a path with an odd number of segments."""
        check_document_path(path)
        seconds = self._settings.call_deadline_seconds
        async with _answered(path, seconds):
            snapshot = await self._client.document(path).get(retry=_retry(seconds), timeout=seconds)
        document: Document | None = _plain(snapshot.to_dict())
        return document

    async def read(self, paths: Sequence[str]) -> Reads:
        """Several documents in one call; see `gateway.ports.Store.read`."""
        for path in paths:
            check_document_path(path)
        async with _answered(", ".join(paths), self._settings.call_deadline_seconds):
            return await self._read(paths)

    async def list(self, collection: str) -> Mapping[str, Document]:
        """All documents directly in a collection, path -> document, ordered by path."""
        check_collection_path(collection)
        return await self._query(collection, self._client.collection(collection))

    async def find(self, collection: str, field: str, value: object) -> Mapping[str, Document]:
        """Documents of a collection whose (dotted) field equals a value, ordered by path."""
        check_collection_path(collection)
        check_field(field)
        check_value(value)
        quoted = FieldPath(*field.split(".")).to_api_repr()
        found = self._client.collection(collection).where(filter=FieldFilter(quoted, "==", value))
        return await self._query(collection, found)

    async def newest(self, collection: str, field: str, count: int) -> Mapping[str, Document]:
        """The documents with the highest values of a field; see `ports.Store.newest`."""
        check_collection_path(collection)
        check_field(field)
        quoted = FieldPath(*field.split(".")).to_api_repr()
        ordered = self._client.collection(collection).order_by(quoted, direction="DESCENDING")
        return await self._documents(collection, ordered.limit(count))

    async def time(self) -> datetime:
        """What time Firestore says it is: when it read a document, be it there or not."""
        seconds = self._settings.call_deadline_seconds
        async with _answered("its own time", seconds):
            asked = self._client.document("control/time")
            snapshot = await asked.get(retry=_retry(seconds), timeout=seconds)
        read_at: datetime = _plain(snapshot.read_time)
        return read_at

    async def commit(self, writes: Sequence[Write]) -> None:
        """Apply all writes or none. Raises `AlreadyExists` if a `Create` meets a document.

        An attempt whose answer was lost may have created the document that the next one meets:
        then the outcome is unknown, which is `Unavailable`.
        """
        check_writes(writes)
        batch = self._client.batch()
        _add(self._client, batch, writes)
        seconds, lost_answers = self._settings.call_deadline_seconds, _LostAnswers()
        retry = _retry(seconds, exceptions.Aborted, on_error=lost_answers.count)
        async with _answered(_paths(writes), seconds):
            try:
                await batch.commit(retry=retry, timeout=seconds)
            except exceptions.AlreadyExists as error:
                if lost_answers.number:
                    raise Unavailable(f"{error}, perhaps by our own lost attempt") from error
                raise

    async def transact(
        self, reads: Sequence[str], decide: Callable[[Reads], Sequence[Write]]
    ) -> Reads:
        """Read, decide, write, atomically; see `gateway.ports.Store.transact`.

        Google's client repeats a commit whose answer was lost, so `AlreadyExists` may stand for a
        write of this very call: read the document to know.
        """
        for path in reads:
            check_document_path(path)
        settings = self._settings
        deadline_seconds = settings.transaction_deadline_seconds
        async with (
            # The inner deadline cancels the transaction, which then rolls back; the outer one
            # cancels a rollback that gets no answer either.
            _answered(", ".join(reads), deadline_seconds + settings.rollback_deadline_seconds),
            asyncio.timeout(deadline_seconds),
        ):
            return await self._transact(reads, decide)

    async def close(self) -> None:
        """Release connections."""
        # The client itself has no public close.
        await self._client._firestore_api.transport.close()

    async def _transact(
        self, reads: Sequence[str], decide: Callable[[Reads], Sequence[Write]]
    ) -> Reads:
        raised: list[Exception] = []

        @firestore.async_transactional
        async def attempt(transaction: firestore.AsyncTransaction) -> Reads:
            documents = await self._read(reads, transaction)
            try:
                writes = decide(documents)
                check_writes(writes)
            except Exception as error:
                raised.append(error)
                raise
            _add(self._client, transaction, writes)
            return documents

        try:
            return await attempt(self._client.transaction(max_attempts=TRANSACTION_ATTEMPTS_MAX))
        except ValueError as error:
            # When a transaction could not begin, firestore 2.34.1 fails to roll it back and hides
            # the reason, even a cancellation, behind a ValueError.
            if not raised and error.__cause__ is None and error.__context__ is not None:
                raise error.__context__ from None
            raise

    async def _read(
        self, paths: Sequence[str], transaction: firestore.AsyncTransaction | None = None
    ) -> dict[str, Document | None]:
        documents: dict[str, Document | None] = dict.fromkeys(paths)
        references = [self._client.document(path) for path in documents]
        if references:
            seconds = self._settings.call_deadline_seconds
            # Not transaction.get_all(): it awaits what is no awaitable (firestore 2.34.1).
            async for snapshot in self._client.get_all(
                references, transaction=transaction, retry=_retry(seconds), timeout=seconds
            ):
                documents[snapshot.reference.path] = _plain(snapshot.to_dict())
        return documents

    async def _query(self, collection: str, query: Any) -> Mapping[str, Document]:
        return dict(sorted((await self._documents(collection, query)).items()))

    async def _documents(self, collection: str, query: Any) -> Mapping[str, Document]:
        seconds = self._settings.query_deadline_seconds
        async with _answered(collection, seconds):
            snapshots = await query.get(retry=_retry(seconds), timeout=seconds)
        return {snapshot.reference.path: _plain(snapshot.to_dict()) for snapshot in snapshots}


class _LostAnswers:
    """How many attempts of one write may have been applied although they failed."""

    def __init__(self) -> None:
        self.number = 0

    def count(self, error: Exception) -> None:
        """Count a failed attempt, unless the service said itself that it wrote nothing."""
        self.number += not isinstance(error, exceptions.Aborted | exceptions.TooManyRequests)


def _retry(
    seconds: float, *also: type[Exception], on_error: Callable[[Exception], None] | None = None
) -> AsyncRetry:
    return AsyncRetry(
        predicate=if_exception_type(*_TRANSIENT, *also),
        initial=0.1,
        maximum=1.0,
        timeout=seconds,
        on_error=on_error,
    )


@contextlib.asynccontextmanager
async def _answered(what: str, seconds: float) -> AsyncIterator[None]:
    """Bound what is awaited inside; the client's errors become those of the port."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except exceptions.AlreadyExists as error:
        raise AlreadyExists(f"{what}: {error}") from error
    except exceptions.Aborted as error:
        raise Conflict(f"{what}: {error}") from error
    except exceptions.InvalidArgument as error:
        raise ValueError(f"Firestore refused {what}: {error}") from error
    except ValueError as error:
        # Google's client says so in words only, but it names the cause.
        if isinstance(error.__cause__, exceptions.Aborted):
            raise Conflict(f"{what}: {error}") from error
        raise
    except _DENIALS as error:
        raise Denied(f"Firestore refuses us {what}: {error}") from error
    except (*_TRANSIENT, *_UNANSWERED, TimeoutError) as error:
        raise Unavailable(f"Firestore did not answer about {what}: {error!r}") from error


def _add(client: firestore.AsyncClient, batch: Any, writes: Sequence[Write]) -> None:
    """Put the writes into a batch or a transaction."""
    for write in writes:
        reference = client.document(write.path)
        match write:
            case Create(data=data):
                batch.create(reference, data)
            case Delete():
                batch.delete(reference)
            case _:
                batch.set(reference, write.data)


def _paths(writes: Sequence[Write]) -> str:
    return ", ".join(write.path for write in writes[:5])


def _plain(value: Any) -> Any:
    """Google's own datetime type, which carries nanoseconds, becomes the ordinary one."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case datetime():
            return datetime.combine(value.date(), value.time(), tzinfo=UTC)
    return value
