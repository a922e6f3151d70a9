"""What Pub/Sub accepts as a message, checked before it leaves us.

Both implementations of the bus use these rules. The service checks them as well, but it refuses a
whole publish request: one bad message would take up to 99 good ones of its batch with it. And the
emulator does not check most of them.
Source: cloud.google.com/pubsub/quotas, "Resource limits" and "Attributes".
"""

from collections.abc import Mapping

MESSAGE_BYTES_MAX = 10_000_000
ATTRIBUTES_MAX = 100
ATTRIBUTE_KEY_BYTES_MAX = 256
ATTRIBUTE_VALUE_BYTES_MAX = 1024
RESERVED_PREFIX = "goog"
# Google's publisher takes attributes as keyword arguments, so these names cannot be attributes.
RESERVED_KEYS = frozenset({"topic", "data", "ordering_key", "retry", "timeout"})


def check_message(data: bytes, attributes: Mapping[str, str]) -> None:
    """Raise `ValueError` with a sentence for a message that Pub/Sub would refuse."""
    if not data and not attributes:
        raise ValueError("a message needs data or at least one attribute, and has neither")
    if len(attributes) > ATTRIBUTES_MAX:
        raise ValueError(f"{len(attributes)} attributes; at most {ATTRIBUTES_MAX} are allowed")
    size = len(data) + sum(_check_attribute(*attribute) for attribute in attributes.items())
    if size > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {size} bytes; at most {MESSAGE_BYTES_MAX} are allowed")


def _check_attribute(key: str, value: str) -> int:
    """The attribute's size in bytes, when it is acceptable."""
    key_bytes, value_bytes = len(key.encode()), len(value.encode())
    if not 0 < key_bytes <= ATTRIBUTE_KEY_BYTES_MAX:
        raise ValueError(
            f"attribute key {key[:40]!r} has {key_bytes} bytes; "
            f"1 to {ATTRIBUTE_KEY_BYTES_MAX} are allowed"
        )
    if key.startswith(RESERVED_PREFIX) or key in RESERVED_KEYS:
        raise ValueError(f"attribute key {key!r} is reserved by Pub/Sub or its client")
    if value_bytes > ATTRIBUTE_VALUE_BYTES_MAX:
        raise ValueError(
            f"attribute {key!r} has a value of {value_bytes} bytes; "
            f"at most {ATTRIBUTE_VALUE_BYTES_MAX} are allowed"
        )
    return key_bytes + value_bytes
