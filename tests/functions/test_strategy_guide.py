"""What the authoring guide tells a stranger to write is a strategy, and its test passes."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

import functions.strategies
from functions.answer import answer
from functions.registry import Strategy, load
from schemas.codec import encode
from tests.functions.histories import History, generated, window_count

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/how-to/strategy.md").read_text(encoding="utf-8")
STRATEGY, TEST = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def module(name: str, text: str) -> ModuleType:
    made = ModuleType(name)
    made.__dict__["__name__"] = name
    sys.modules[name] = made  # a dataclass looks itself up there
    exec(compile(text, f"{name}.py", "exec"), made.__dict__)
    return made


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Strategy]:
    """The guide's strategy, as if its file were there."""
    name = "functions.strategies.mine"
    made = module(name, STRATEGY)
    monkeypatch.setattr(functions.strategies, "mine", made, raising=False)
    monkeypatch.setitem(load.__globals__["STRATEGIES"], "mine", name)
    yield cast(Strategy, made)
    del sys.modules[name]


def test_the_guide_s_strategy_answers_with_targets(mine: Strategy) -> None:
    history = generated(mine)
    ends = history.ends()[window_count(mine) :]
    said = [
        answer("mine", mine, encode(history.market("mine", end, window_count(mine))), {})
        for end in ends
    ]
    assert {targets.status for targets in said if targets} == {"targets"}
    quantities = {t.quantity > 0 for targets in said if targets for t in targets.targets}
    assert quantities == {True, False}


def test_the_guide_s_test_passes(mine: Strategy) -> None:
    tests = module("test_mine", TEST)

    def made(strategy: Strategy) -> History:
        return generated(strategy)

    checks = [value for name, value in vars(tests).items() if name.startswith("test_")]
    assert checks
    for check in checks:
        cast(Any, check)(made)


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)]+)\)", GUIDE))
def test_every_link_of_the_guide_leads_somewhere(path: str) -> None:
    assert (ROOT / "docs/how-to" / path).resolve().exists()
