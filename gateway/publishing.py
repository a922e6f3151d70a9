"""A message of ours, put on its topic: for the gateway, its guard and who tries a deploy."""

from datetime import datetime

from gateway.ports import Bus
from schemas import codec
from schemas.messages import TOPICS, Message, topic_name
from schemas.values import Mode


async def publish(bus: Bus, mode: Mode, message: Message, event_id: str, at: datetime) -> None:
    """Publish one message on its topic of this mode, as of a time. Raises what `Bus.publish` does.

    The event id is the message's: the same again is the same event.
    """
    attributes = codec.attributes(message, event_id, at)
    await bus.publish(topic_name(TOPICS[type(message)], mode), codec.encode(message), attributes)
