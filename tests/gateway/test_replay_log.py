"""A run's walk over the documents of a real gateway."""

import pytest

from gateway import replay_log
from gateway.archive import Archive
from gateway.core.replay import replayed
from gateway.inspection import Unknown
from infra.local.rig import MODE, Rig


async def walked(rig: Rig, asked: str) -> list[str]:
    return replayed(await replay_log.log(rig.store, Archive(rig.store, MODE), asked))


async def play(rig: Rig) -> None:
    """A run whose two strategies meet inside and buy the rest, and a refusal."""
    await rig.publish("commands", {"command": "run", "run_id": "run-0930"})
    await rig.reached("run-0930", "ASKED")
    await rig.advance(seconds=2)
    await rig.say("alpha", run_id="run-0930", SPY=10)
    await rig.settled_before_coalescing()
    await rig.advance(seconds=3)
    await rig.say("beta", run_id="run-0930", SPY=-4, VIXY=1_000_000)
    await rig.ended("run-0930")
    await rig.traded()


async def test_a_run_is_walked_from_its_message_to_its_shares(active: Rig) -> None:
    await play(active)
    told = [line[11:] for line in await walked(active, "run-0930")]
    assert told[0].startswith("15:30:00.000 run-0930 begins: the command run, by message ")
    assert told[1].startswith("15:30:00.000 It asks alpha, beta; answers count until ")
    assert told[2].startswith("15:30:02.000 alpha answers targets (message ")
    assert told[2].endswith("): 10 SPY.")
    assert told[3].startswith("15:30:05.000 beta answers targets (message ")
    in_order = [
        "It went by: trading active, the account, worth 1,000,000.00 USD",
        "Reference price of SPY: ",
        "alpha wanted to hold 10 (message ",
        "The limit ",
        "paper-756733-1 is journaled: +10 SPY.",
        "paper-756733-1: these limits let it pass: account_prefix",
        "paper-756733-1: IB's what-if answer before it was sent",
        "paper-756733-1: IB knows it as order id ",
        "paper-756733-1 fills: ",
        "paper-756733-1: It is DONE, filled; 10 of 10 filled",
        "run-0930 ends: done; 1 orders, 0 crosses, ",
    ]
    places = [next(i for i, line in enumerate(told) if words in line) for words in in_order]
    assert places == sorted(places)
    assert told[places[8]].endswith("alpha +10.")


async def test_crosses_are_told_with_their_price(active: Rig) -> None:
    """[N4]"""
    await active.say("alpha", SPY=10)
    await active.say("beta", SPY=-4)
    await active.settled_before_coalescing()
    await active.command("allocate", "a1")
    await active.traded()
    told = await walked(active, "a1")
    assert any("beta -4, alpha +4 met inside at " in line for line in told)


async def test_last_and_a_beginning_name_a_run(active: Rig) -> None:
    await active.command("reconcile", "morning-1")
    await active.advance(seconds=1)
    await active.command("reconcile", "evening-1")
    assert "evening-1 begins" in (await walked(active, "last"))[0]
    assert "morning-1 begins" in (await walked(active, "morn"))[0]


@pytest.mark.parametrize("asked", ["mornin-2", "a/b", "", "."])
async def test_an_unknown_run_is_said_so_with_the_nearest(active: Rig, asked: str) -> None:
    await active.command("reconcile", "morning-1")
    await active.command("reconcile", "morning-3")
    with pytest.raises(Unknown, match=r"no run '.*; nearest: .*morning-"):
        await walked(active, asked)


async def test_without_any_run_there_is_none_to_be_near(rig: Rig) -> None:
    with pytest.raises(Unknown, match="there is no run at all"):
        await walked(rig, "last")


def test_a_wrong_environment_ends_with_2_and_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MODE", raising=False)
    assert replay_log.main(["last"]) == 2
    assert "gateway.replay_log: MODE must be set" in capsys.readouterr().err
