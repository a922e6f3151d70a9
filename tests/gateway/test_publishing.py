"""What a message says of itself on its way."""

from datetime import UTC, datetime

from gateway.publishing import publish
from infra.local.rig import MODE, rigged
from schemas.messages import Report


async def test_a_message_goes_to_its_topic_of_the_mode_as_the_event_that_it_is() -> None:
    at = datetime(2026, 1, 5, 15, tzinfo=UTC)
    report = Report("alert", at, MODE, "SPY is locked")
    async with rigged() as rig:
        for _ in range(2):
            await publish(rig.bus, MODE, report, "event-1", at)
        await rig.advance(seconds=1)
        assert (rig.reports, dict(rig.events)) == ([report], {"event-1": 2})
