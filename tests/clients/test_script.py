"""Clients that no one here wrote play one script: a second opinion on our reading of IB.

They speak server versions 157, 176 and 178, and what they hear must be the same, value by value:
`infra/clients/script.py`. A failure names the client and the case.
"""

from collections.abc import Callable

import pytest

from infra.clients.environments import CLIENTS
from infra.clients.play import Outcome
from infra.clients.script import CASES


@pytest.mark.parametrize("case", [case.name for case in CASES])
@pytest.mark.parametrize("client", CLIENTS)
def test_client_passes_case(
    client: str, case: str, outcome_of: Callable[[str, str], Outcome]
) -> None:
    outcome = outcome_of(client, case)
    if outcome.by_nature:
        pytest.skip(f"{client} cannot: {outcome.by_nature}")
    assert list(outcome.wrong) == []
