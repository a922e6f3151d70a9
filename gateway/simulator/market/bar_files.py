"""The text of bar files: names, columns, numbers, order; every refusal names file and line.

Files are named `KEY_1min*.csv` (5sec, 1min, 30min or 1day), the key being a stock's symbol, a pair
like `EUR.USD` or a future like `ESZ5`, with a header `time,open,high,low,close,volume`. Intraday
times carry a zone and are the bar's start; daily ones are plain dates and mean trading days.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

FIVE_SECONDS, ONE_MINUTE, THIRTY_MINUTES, ONE_DAY = "5 secs", "1 min", "30 mins", "1 day"
"""Bar sizes, as IB writes them."""
SIZES = {"5sec": FIVE_SECONDS, "1min": ONE_MINUTE, "30min": THIRTY_MINUTES, "1day": ONE_DAY}
LENGTHS = {
    FIVE_SECONDS: timedelta(seconds=5),
    ONE_MINUTE: timedelta(minutes=1),
    THIRTY_MINUTES: timedelta(minutes=30),
}
INTRADAY = (FIVE_SECONDS, ONE_MINUTE, THIRTY_MINUTES)
"""Sizes of intraday bars, the finest first."""

COLUMNS = ("time", "open", "high", "low", "close", "volume")
FILE_BYTES_MAX = 64 * 1024 * 1024

_FILE_NAME = re.compile(r"([A-Z0-9][A-Z0-9.]{0,11})_(5sec|1min|30min|1day)(?![0-9a-z]).*\.csv")


class BarsError(Exception):
    """Bars that cannot be used. Its text is `file:line: reason`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: a start or a day, then open, high, low, close, volume."""

    time: datetime | date
    numbers: tuple[Decimal, ...]
    source: str


def series_of(file: Path) -> tuple[str, str]:
    """The key and bar size in a file's name. Raises BarsError."""
    match = _FILE_NAME.fullmatch(file.name)
    if match is None:
        raise BarsError(f"{file.name}:0: the name is not like SYMBOL_30min.csv, 1min or 1day")
    return match[1], SIZES[match[2]]


def read_text(file: Path) -> str:
    """A file's text. Raises BarsError when it is too large or no text."""
    if file.stat().st_size > FILE_BYTES_MAX:
        raise BarsError(f"{file.name}:0: larger than {FILE_BYTES_MAX} bytes")
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise BarsError(f"{file.name}:0: not UTF-8 text") from None


def parse_rows(text: str, name: str, size: str) -> list[Row]:
    """The rows of one file's text. Raises BarsError with the file's name, line and reason."""
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        return _parse(reader, name, size)
    except csv.Error as error:
        raise BarsError(f"{name}:{reader.line_num}: {error}") from None


def merge(rows: list[Row]) -> list[Row]:
    """Sort rows of several files; equal rows become one. Raises BarsError on a contradiction."""
    kept: dict[datetime | date, Row] = {}
    for row in rows:
        other = kept.setdefault(row.time, row)
        if other.numbers != row.numbers:
            raise BarsError(f"{row.source}: differs from the same bar at {other.source}")
    return sorted(kept.values(), key=lambda row: row.time.isoformat())


def _parse(reader: Iterator[list[str]], name: str, size: str) -> list[Row]:
    header = next(reader, [])
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise BarsError(f"{name}:1: missing column {', '.join(missing)}")
    places = [header.index(column) for column in COLUMNS]
    rows: list[Row] = []
    for line, cells in enumerate(reader, start=2):
        where = f"{name}:{line}"
        if len(cells) != len(header):
            raise BarsError(f"{where}: {len(cells)} cells under {len(header)} columns")
        row = _row([cells[place] for place in places], where, size)
        _check_order(rows, row)
        rows.append(row)
    if not rows:
        raise BarsError(f"{name}:1: no bars")
    return rows


def _row(cells: list[str], where: str, size: str) -> Row:
    when = _day(cells[0], where) if size == ONE_DAY else _instant(cells[0], where)
    numbers = tuple(
        _number(text, column, where) for text, column in zip(cells[1:], COLUMNS[1:], strict=True)
    )
    _check_numbers(numbers, where)
    return Row(when, numbers, where)


def _day(text: str, where: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise BarsError(f"{where}: time {text!r} is not a plain date like 2025-12-12") from None


def _instant(text: str, where: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BarsError(f"{where}: time {text!r} is not an ISO time") from None
    if when.tzinfo is None:
        raise BarsError(f"{where}: time {text!r} has no zone")
    return when.astimezone(UTC)


def _number(text: str, column: str, where: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BarsError(f"{where}: {column} {text!r} is not a number") from None
    if not value.is_finite():
        raise BarsError(f"{where}: {column} {text!r} is not finite")
    return value


def _check_numbers(numbers: tuple[Decimal, ...], where: str) -> None:
    opened, high, low, close, volume = numbers
    if min(opened, high, low, close) <= 0:
        raise BarsError(f"{where}: a price is not positive")
    if high < low:
        raise BarsError(f"{where}: high {high} is below low {low}")
    if not (low <= opened <= high and low <= close <= high):
        raise BarsError(f"{where}: open or close is outside low to high")
    if volume < 0:
        raise BarsError(f"{where}: volume is negative")


def _check_order(rows: list[Row], row: Row) -> None:
    if not rows:
        return
    # Within one file all are UTC instants or all are days: their ISO texts sort as they do.
    last, this = rows[-1].time.isoformat(), row.time.isoformat()
    if this == last:
        raise BarsError(f"{row.source}: duplicate time")
    if this < last:
        raise BarsError(f"{row.source}: time goes backwards")
