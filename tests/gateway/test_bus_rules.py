"""Messages at and beyond Pub/Sub's limits."""

import pytest

from gateway.bus_rules import check_message


@pytest.mark.parametrize(
    ("data", "attributes"),
    [
        (b"x", {}),
        (b"", {"key": ""}),
        (b"x" * 10_000_000, {}),
        (b"x" * (10_000_000 - 8), {"key": "value"}),
        (b"x", {"k" * 256: "v" * 1024}),
        (b"x", {f"ce-{number}": "v" for number in range(100)}),
    ],
    ids=["data", "attribute", "10 MB", "10 MB with attribute", "long attribute", "100 attributes"],
)
def test_a_message_at_a_limit_passes(data: bytes, attributes: dict[str, str]) -> None:
    check_message(data, attributes)


@pytest.mark.parametrize(
    ("data", "attributes", "complaint"),
    [
        (b"", {}, "neither"),
        (b"x" * (10_000_000 - 7), {"key": "value"}, "10000001 bytes"),
        (b"x", {f"ce-{number}": "v" for number in range(101)}, "101 attributes"),
        (b"x", {"k" * 257: ""}, "257 bytes"),
        (b"x", {"key": "é" * 513}, "1026 bytes"),
        (b"x", {"goog-anything": ""}, "reserved"),
        (b"x", {"topic": ""}, "reserved"),
    ],
    ids=["empty", "size", "count", "key", "value", "prefix", "keyword"],
)
def test_a_message_beyond_a_limit_is_refused_with_a_sentence(
    data: bytes, attributes: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_message(data, attributes)
