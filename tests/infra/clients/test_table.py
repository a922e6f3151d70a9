"""The table client × case, and the one that is committed."""

import re

import pytest

from infra.clients.environments import CLIENTS
from infra.clients.play import Outcome
from infra.clients.script import BY_NATURE, CASES, Case, left_out
from infra.clients.table import case_table
from infra.simulator_docs import PAGE

TEXT = PAGE.read_text(encoding="utf-8")
TWO = (Case("first", "does this", ()), Case("second", "does that", ()))


def test_what_is_no_pass_has_its_reason_below() -> None:
    outcomes = {
        "one": [Outcome("one", "first"), Outcome("one", "second", wrong=("a is 1, not 2", "b"))],
        "two": [
            Outcome("two", "first", by_nature="It has no such thing."),
            Outcome("two", "second", without="Without `a`."),
        ],
    }
    assert case_table(outcomes, TWO, {"three": "no registry"}).splitlines() == [
        "| case | one | two | three | the client |",
        "|---|---|---|---|---|",
        "| `first` | pass | cannot 1 | not played 2 | does this |",
        "| `second` | **fails** 3 | pass 4 | not played 2 | does that |",
        "",
        "1. It has no such thing.",
        "2. no registry",
        "3. a is 1, not 2; b",
        "4. Without `a`.",
    ]


def part(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_committed_table_names_every_client_and_what_each_case_is() -> None:
    head = part("clients").splitlines()[0]
    assert head == f"| case | {' | '.join(CLIENTS)} | the client |"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_committed_table_has_a_pass_or_a_reason_for_every_client(case: Case) -> None:
    (line,) = [row for row in part("clients").splitlines() if row.startswith(f"| `{case.name}` ")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[-1] == case.does
    told = dict(zip(CLIENTS, cells[1:-1], strict=True))
    cannot = {client for client in CLIENTS if (client, case.name) in BY_NATURE}
    whole = {client for client in CLIENTS if not left_out(case, client)} - cannot
    assert {client for client, cell in told.items() if cell == "pass"} == whole
    part_of_it = set(CLIENTS) - cannot - whole
    assert all(re.fullmatch(r"pass \d+", told[client]) for client in part_of_it)
    assert all(re.fullmatch(r"cannot \d+", told[client]) for client in cannot)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_committed_figures_name_every_client(client: str) -> None:
    assert f"\n| {client} |" in part("cycles")
