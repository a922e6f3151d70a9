from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from gateway.core.broker import BrokerStatus, OrderReport, masked, with_accounts_masked


def test_what_the_broker_said_cannot_be_changed_afterwards(build: Any) -> None:
    report = build.report(BrokerStatus.WORKING)
    with pytest.raises(FrozenInstanceError):
        report.status = BrokerStatus.FILLED


def test_a_report_counts_no_fills_unless_the_broker_did() -> None:
    """None is "left out", which must not be taken for 0."""
    assert OrderReport("paper-1-1", BrokerStatus.CANCELLED).filled is None


@pytest.mark.parametrize(
    ("account", "shown"),
    [("U1234567", "U…67"), ("DU1234567", "DU…67"), ("F1234567", "F…67"), ("U1", "U…"), ("", "…")],
)
def test_an_account_is_shown_by_its_kind_and_its_end(account: str, shown: str) -> None:
    """[M30]"""
    assert masked(account) == shown


def test_an_account_that_ib_names_is_masked_in_its_words() -> None:
    """[M30] They become reasons of orders, and so reports, logs and messages to a chat."""
    text = "Order rejected - reason: account U1234567 of U1234567,U7654321 may not trade it"
    assert with_accounts_masked(text, ["U1234567", ""]) == (
        "Order rejected - reason: account U…67 of U…67,U7654321 may not trade it"
    )
