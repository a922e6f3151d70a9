"""The strategies that there are."""

from pathlib import Path

import pytest

import functions.registry
from functions.registry import STRATEGIES, load, specs
from schemas.values import check_strategy_id

FOLDER = Path(functions.registry.__file__).parent / "strategies"


def test_every_file_is_a_strategy_and_every_strategy_has_a_file() -> None:
    """A stranger copies one file; there is no list to forget it in (decision 13)."""
    files = {f"functions.strategies.{path.stem}" for path in FOLDER.glob("*.py")}
    assert files == set(STRATEGIES.values())


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_is_named_after_its_module_and_says_its_idea(name: str) -> None:
    check_strategy_id(name)
    assert STRATEGIES[name].endswith(f".{name}")
    assert len((load(name).__doc__ or "").splitlines()) >= 3


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_has_defaults_for_all_its_parameters(name: str) -> None:
    strategy = load(name)
    assert strategy.Parameters() == strategy.Parameters()


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        load("spymacdvixy")


def test_the_specs_are_the_files_own() -> None:
    found = specs()
    assert found["spy_macd_vixy"].bars.duration == "200 D"
    assert found["spy_macd_vixy"].universe == load("spy_macd_vixy").UNIVERSE
    assert found["spy_pullback"].schedule == found["test_signal_generator"].schedule
    assert found["dummy"].schedule == ""
