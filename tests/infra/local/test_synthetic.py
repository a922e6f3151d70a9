"""The bundled bars: invented, the same every time, and good for a day."""

from pathlib import Path

import pytest

from gateway.simulator.market.bars import read_folder
from infra.local import synthetic
from infra.local.demo import BUNDLED


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Freshly made files, in a folder that had to be made."""
    path = tmp_path_factory.mktemp("synthetic") / "new" / "bars"
    synthetic.main(path)
    return path


def test_the_bundled_files_are_what_the_program_makes(folder: Path) -> None:
    made = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert made == {file.name: file.read_bytes() for file in BUNDLED.iterdir()}


def test_another_seed_makes_other_bars() -> None:
    assert synthetic.files(synthetic.SEED + 1) != synthetic.files()


def test_every_file_is_labelled_synthetic(folder: Path) -> None:
    assert all("synthetic" in file.name for file in folder.iterdir())


def test_the_simulator_reads_them(folder: Path) -> None:
    book = read_folder(folder)
    assert book.symbols == ("SPY", "VIXY")
    assert book.whole_days()[-1] == synthetic.LAST_DAY
    assert len(book.whole_days()) == synthetic.INTRADAY_SESSIONS


def test_the_daily_file_does_not_know_the_day_that_is_played(folder: Path) -> None:
    text = (folder / "SPY_1day_synthetic.csv").read_text()
    days = [line.partition(",")[0] for line in text.splitlines()[1:]]
    assert len(days) == synthetic.SESSIONS - 1
    assert max(days) < synthetic.LAST_DAY.isoformat()


def test_sessions_are_weekdays_and_no_holidays() -> None:
    days = synthetic.sessions()
    assert days == sorted(set(days))
    assert not synthetic.HOLIDAYS & set(days)
    assert all(day.weekday() < 5 for day in days)
    assert len(days) == synthetic.SESSIONS


def test_bars_of_any_name_are_invented_the_same_way_each_time(tmp_path: Path) -> None:
    names = ("QQQ", "MESH6", "MESM6")
    assert synthetic.invented(names) == synthetic.invented(reversed(names))
    for name, text in {**synthetic.files(), **synthetic.invented(names)}.items():
        (tmp_path / name).write_text(text)
    book = read_folder(tmp_path)
    assert set(book.symbols) == {"SPY", "VIXY", *names}
    assert book.whole_days()[-1] == synthetic.LAST_DAY


def test_the_months_of_a_future_share_a_walk_in_quarter_points(tmp_path: Path) -> None:
    for name, text in synthetic.invented(("MESH6", "MESM6")).items():
        (tmp_path / name).write_text(text)
    book = read_folder(tmp_path)
    near, far = (book.series(name, "30 mins").bars for name in ("MESH6", "MESM6"))
    assert all(bar.close % 1 in {0, 0.25, 0.5, 0.75} for bar in (*near, *far))
    assert all(1 < later.close / bar.close < 1.02 for bar, later in zip(near, far, strict=True))
