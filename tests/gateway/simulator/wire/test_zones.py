import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.simulator.wire.zones import OLD_NAMES, SpokenZone, zone

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


def test_a_spoken_zone_keeps_the_instant_and_changes_the_name() -> None:
    told = NOON.astimezone(SpokenZone("America/New_York", "Eastern Daylight Time"))
    assert told == NOON
    assert (told.hour, told.tzname()) == (8, "Eastern Daylight Time")
    assert told.dst()


def test_the_text_has_the_name_or_two_spaces_in_its_midst() -> None:
    tokyo, nameless = SpokenZone("Asia/Tokyo", "JST"), SpokenZone("Asia/Tokyo", "")
    assert tokyo.text(NOON.astimezone(tokyo)) == "20250701 21:00:00 JST"
    assert nameless.text(NOON.astimezone(nameless)) == "20250701  21:00:00"


@pytest.fixture
def without_old_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine whose database of zones has the new names only."""
    for name in ("America/New_York", "Asia/Tokyo"):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes((resources.files("tzdata") / "zoneinfo" / name).read_bytes())
    for module in [name for name in sys.modules if name.partition(".")[0] == "tzdata"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "tzdata", None)  # what makes importing it fail
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([tmp_path])
    ZoneInfo.clear_cache()
    zone.cache_clear()
    yield
    zoneinfo.reset_tzpath(before)
    ZoneInfo.clear_cache()
    zone.cache_clear()


@pytest.mark.usefixtures("without_old_names")
def test_an_old_name_means_the_new_one_where_only_that_is_known() -> None:
    with pytest.raises(KeyError):
        ZoneInfo("US/Eastern")
    assert zone("US/Eastern") is ZoneInfo("America/New_York")
    assert zone("Japan").key == "Asia/Tokyo"
    with pytest.raises(KeyError):
        zone("Mars/North")


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
def test_an_old_name_is_the_same_zone(old: str, new: str) -> None:
    winter = datetime(2025, 1, 15, 12, tzinfo=UTC)
    for instant in (winter, NOON):
        assert instant.astimezone(ZoneInfo(old)).utcoffset() == (
            instant.astimezone(ZoneInfo(new)).utcoffset()
        )


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone is called"):
        SpokenZone("../etc", "X")
