"""`gateway.why` over real documents, written by a real gateway."""

from pathlib import Path

import pytest

from gateway import why
from gateway.archive import Archive
from gateway.core.why import story
from infra.local.rig import MODE, Rig


async def test_the_order_of_two_strategies_tells_who_wanted_it_and_what_became_of_it(
    active: Rig,
) -> None:
    await active.say("alpha", SPY=10)
    await active.say("beta", SPY=-4)
    await active.settled_before_coalescing()
    await active.command("allocate", "a1")
    await active.traded()
    (order_ref,) = await active.orders()
    told = story(await why.evidence(Archive(active.store, MODE), order_ref))
    assert told[0] == f"{order_ref} is +6 SPY, MKT DAY."
    assert any(sentence.startswith("alpha wanted to hold 10 (message ") for sentence in told)
    assert any(sentence.startswith("beta wanted to hold -4 (message ") for sentence in told)
    assert any("met inside at" in sentence for sentence in told)
    assert any("IB's what-if answer" in sentence for sentence in told)
    assert told[-1].startswith("It is DONE, filled; 6 of 6 filled at ")


@pytest.mark.parametrize(
    ("order_ref", "reason"),
    [
        ("paper-1-9", "no order paper-1-9: there is no document positions/paper/openOrders/"),
        ("a/b", "'a/b' is no order reference"),
        ("", "'' is no order reference"),
        (".", "'.' is no order reference"),
    ],
)
async def test_an_unknown_order_is_said_so(active: Rig, order_ref: str, reason: str) -> None:
    with pytest.raises(why.Unknown, match=reason):
        await why.evidence(Archive(active.store, MODE), order_ref)


def test_a_wrong_environment_ends_with_2_and_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("MODE", raising=False)
    assert why.main(["paper-1-1"]) == 2
    assert "gateway.why: MODE must be set" in capsys.readouterr().err
