"""The clients' environments, and how each of them did in the script."""

import asyncio
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from infra.clients.environments import CLIENTS, Client, NoEnvironment
from infra.clients.play import Outcome, play
from infra.clients.script import CASES

REQUIRED = bool(os.environ.get("REQUIRE_CLIENTS"))


@pytest.fixture(scope="session")
def python_of() -> Callable[[str], Path]:
    """The Python that has the client of this name, made or brought up to date.

    Without a package index there is none: skips, and fails where REQUIRE_CLIENTS is set. Without
    that variable only the quick clients are played at all, so that `make test` stays quick.
    """

    @cache
    def found(client: Client) -> Path | NoEnvironment:
        try:
            return client.python()
        except NoEnvironment as error:
            return error

    def python(name: str) -> Path:
        client = CLIENTS[name.replace("-", "_")]
        if not (client.quick or REQUIRED):
            pytest.skip(f"{client.name} is played by `make test-clients`")
        it = found(client)
        if isinstance(it, Path):
            return it
        if REQUIRED:
            pytest.fail(f"REQUIRE_CLIENTS is set, but {it}", pytrace=False)
        pytest.skip(str(it))

    return python


@pytest.fixture(scope="session")
def outcome_of(
    python_of: Callable[[str], Path], request: pytest.FixtureRequest
) -> Callable[[str, str], Outcome]:
    """How a client did in a case. The first question plays all that will be asked of a client."""
    asked = [
        (item.callspec.params.get("client"), item.callspec.params.get("case"))
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    ]

    @cache
    def outcomes(client: str) -> dict[str, Outcome]:
        cases = [case for case in CASES if (client, case.name) in asked]
        played = asyncio.run(play(CLIENTS[client], python_of(client), cases))
        return {one.case: one for one in played}

    return lambda client, case: outcomes(client)[case]
