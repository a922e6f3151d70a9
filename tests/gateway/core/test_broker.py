from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from gateway.core.broker import BrokerStatus, OrderReport


def test_what_the_broker_said_cannot_be_changed_afterwards(build: Any) -> None:
    report = build.report(BrokerStatus.WORKING)
    with pytest.raises(FrozenInstanceError):
        report.status = BrokerStatus.FILLED


def test_a_report_counts_no_fills_unless_the_broker_did() -> None:
    """None is "left out", which must not be taken for 0."""
    assert OrderReport("paper-1-1", BrokerStatus.CANCELLED).filled is None
