"""One strategy alone in the demo: its bars, its documents, and clear words for what cannot be."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from functions.registry import STRATEGIES, specs
from gateway.simulator.market.bars import BarBook, read_folder
from infra.init import create_missing
from infra.local.__main__ import main
from infra.local.solo import (
    BUNDLED,
    Unplayable,
    check_known,
    enable_alone,
    series_of,
    staged,
    table_of,
)
from infra.local.store import EmbeddedStore
from schemas.codec import from_document
from schemas.settings import Settings, StrategyDocument
from schemas.values import Mode

DAY = date(2026, 2, 27)


@pytest.fixture(scope="module")
def bundled() -> BarBook:
    return read_folder(BUNDLED)


@pytest.fixture
async def store() -> AsyncIterator[EmbeddedStore]:
    found = EmbeddedStore(":memory:")
    await create_missing(found, Mode.PAPER, specs())
    yield found
    await found.close()


@pytest.mark.parametrize(
    ("wrong", "near"), [("spy_pulback", "spy_pullback"), ("mestrend", "mes_trend")]
)
def test_an_unknown_strategy_is_refused_with_the_nearest_names(wrong: str, near: str) -> None:
    with pytest.raises(Unplayable, match=f"no file functions/strategies/{wrong}.py; did.*{near}"):
        check_known(wrong)


def test_a_name_that_is_like_none_gets_them_all() -> None:
    with pytest.raises(Unplayable, match=", ".join(STRATEGIES)):
        check_known("zzz")


def test_an_unknown_name_ends_the_demo_with_2_and_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["demo", "--strategy", "spy_pulback"]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("demo: STRATEGY=spy_pulback has no file")


def test_a_folder_of_ones_own_without_its_bars_ends_the_demo_with_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for file in BUNDLED.glob("*.csv"):
        (tmp_path / file.name).write_text(file.read_text())
    assert main(["demo", "--strategy", "monthly_allocation", "--bars", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"demo: monthly_allocation reads EFA, IEF, GLD, of which {tmp_path} has no bars; put "
        "EFA_30min.csv and EFA_1day.csv there, or leave BARS out, and bars are invented\n"
    )


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_can_be_staged_on_the_bundled_bars(bundled: BarBook, name: str) -> None:
    """A new file too: what is not bundled is invented, and SPY stays what it was."""
    found = staged(name, bundled, DAY, None)
    assert set(series_of(name, DAY)) <= set(found.symbols)
    assert found.series("SPY", "30 mins") == bundled.series("SPY", "30 mins")
    assert found.whole_days() == bundled.whole_days()


def test_a_chain_is_the_two_months_after_the_day() -> None:
    assert series_of("mes_trend", DAY) == ("MESH6", "MESM6")
    assert series_of("mes_trend", date(2026, 3, 21)) == ("MESM6", "MESU6")


def test_the_stocks_of_a_universe_are_listed_where_it_says() -> None:
    table = table_of("monthly_allocation")
    listings = {symbol: table.by_symbol(symbol) for symbol in ("EFA", "IEF", "SPY")}
    exchanges = {symbol: one.primary_exchange for symbol, one in listings.items() if one}
    assert exchanges == {"EFA": "ARCA", "IEF": "NASDAQ", "SPY": "ARCA"}


async def test_it_alone_is_enabled_and_its_kinds_of_contract_are_allowed(
    store: EmbeddedStore,
) -> None:
    said = await enable_alone(store, "mes_trend")
    found = {
        path.rpartition("/")[2]: from_document(StrategyDocument, data)
        for path, data in (await store.list("strategies")).items()
    }
    enabled = {name: document.weight for name, document in found.items() if document.enabled}
    assert enabled == {"mes_trend": Decimal("0.9"), "manual": Decimal("0.1")}
    assert found["mes_trend"].universe == specs()["mes_trend"].universe
    common = await store.get("config/common")
    assert common is not None
    assert from_document(Settings, common).sec_types_allowed == ("STK", "FUT")
    assert "strategies/mes_trend with weight 0.9" in said
