from datetime import UTC, datetime

import pytest

from gateway.simulator.wire.zones import SpokenZone

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


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone is called"):
        SpokenZone("../etc", "X")
