"""The bill: its arithmetic, its sources, and the table in the guide."""

import asyncio
import re
from decimal import Decimal
from pathlib import Path

import pytest

from functions.registry import specs
from infra import cost, cost_table
from infra.bench.witness import Counts
from infra.bill import (
    ALERT_CONDITIONS,
    FUNCTION,
    GIB,
    MONTH_HOURS,
    POD,
    POD_DISK_GIB,
    POOL,
    SECRETS,
    Bill,
    Shape,
    hours,
    load_of,
    market_hours,
)
from infra.prices import Price, read
from infra.topology import topology
from infra.usage import Measured, Touched, measured
from schemas.values import Mode

CLOSE_ENOUGH = Decimal("0.05")
"""A count of the demo's day differs by a document or two from play to play."""

FOUND = Measured(
    quiet=Counts(4, 3, 7, 21, 12),
    ordering=Counts(7, 5, 17, 25, 14),
    day=Counts(186, 96, 379, 463, 287),
    day_runs=13,
    day_orders=15,
    bytes_by_topic={f"{name}-paper": 2_000 for name in ("commands", "targets", "reports")}
    | {"market-paper": 80_000, "watchdog-paper": 3_000},
    reports=89,
    logged_lines=43,
    logged_bytes=2_238,
    kept_bytes=200_000,
    kept_documents=177,
    look=Touched(6, 1),
    alarm=Touched(2, 2),
)


def bill(strategies: int | None = None, runs_per_day: int | None = None) -> Bill:
    return Bill(read(), FOUND, cost.load(strategies, runs_per_day))


def dollars(of: Bill, shape: Shape, what: str) -> Decimal:
    return next(line.dollars for line in of.lines(shape) if line.what.startswith(what))


# ---------------------------------------------------------------------- the price list


def test_every_price_has_a_source_a_mark_and_a_unit() -> None:
    for price in read().prices.values():
        assert price.source, price.name
        assert price.unit, price.name
        assert price.dollars > 0, price.name


def test_an_unconfirmed_price_is_said_to_be_one() -> None:
    of = bill()
    told = "\n".join(cost_table.doubts(of))
    assert of.listed.unconfirmed
    for price in of.listed.unconfirmed:
        assert price.source in told


def test_what_is_free_is_taken_off_and_never_more_than_that() -> None:
    price = Price("x", Decimal(2), "thing", "src", "a page", Decimal(3), "month")
    assert [price.charge(Decimal(n)) for n in (2, 3, 4)] == [0, 0, 2]


@pytest.mark.parametrize(
    "wrong", [{"mark": "sure"}, {"source": ""}, {"free": Decimal(1)}, {"per": "day"}]
)
def test_a_price_without_a_source_a_mark_or_a_period_is_none(wrong: dict[str, object]) -> None:
    right = {"name": "x", "dollars": Decimal(1), "unit": "thing", "mark": "src", "source": "a page"}
    with pytest.raises(ValueError, match=r"^x: "):
        Price(**{**right, **wrong})  # type: ignore[arg-type]


# ---------------------------------------------------------------------- how often


def test_the_load_is_that_of_the_schedules() -> None:
    load = load_of(topology(Mode.PAPER, specs()))
    assert load.runs == 15  # half-hourly from 10:01 to 15:31, and three once a day
    assert load.answers == 27  # two strategies in each half-hourly run
    assert load.chores == 7  # eod_check at 12:55 and at 15:55 among them
    assert load.looks == 288


def test_market_hours_begin_and_end_half_an_hour_around_the_schedules() -> None:
    assert market_hours(topology(Mode.PAPER, specs())) == ("15 8 * * 1-5", "5 17 * * 1-5")


def test_hours_are_counted_from_starts_to_stops() -> None:
    weeks = MONTH_HOURS / (7 * 24)
    assert round(hours("0 9 * * 1-5", "0 17 * * 1-5"), 6) == round(weeks * 40, 6)
    assert round(hours("30 8,15 * * 1-5", "30 10,17 * * 1-5"), 6) == round(weeks * 20, 6)


def test_windows_that_stop_before_they_start_are_refused() -> None:
    with pytest.raises(ValueError, match="in turn"):
        hours("0 17 * * 1-5", "0 9 * * 1-5")


# ---------------------------------------------------------------------- how much


def test_the_pool_is_paid_by_the_hour() -> None:
    day, night = Shape("", Decimal(73)), Shape("", MONTH_HOURS)
    of = bill()
    for what in ("worker pool: processors", "worker pool: memory"):
        assert dollars(of, day, what) * 10 == dollars(of, night, what) > 0


def test_only_live_pays_for_an_address() -> None:
    of = bill()
    paper, live = (dollars(of, Shape("", MONTH_HOURS, is_live), "NAT") for is_live in (False, True))
    assert paper == 0
    assert live > Decimal("4.67")  # 730 h of gateway and address


def test_the_heartbeats_of_commander_and_guard_are_most_of_the_documents() -> None:
    reads, writes = bill().reads_and_writes(Shape("", MONTH_HOURS))
    assert 2 * 8_640 * 2 < reads < 50_000
    assert 8_640 < writes < 20_000


def test_beyond_the_free_quota_documents_cost_money() -> None:
    shape = Shape("", MONTH_HOURS)
    few, many = bill(), bill(strategies=50, runs_per_day=78)
    what = "Firestore: reads"
    assert dollars(few, shape, what) < Decimal("0.01")
    assert dollars(many, shape, what) > Decimal("0.30")


def test_every_message_counts_as_published_and_as_delivered_to_each() -> None:
    one, two = bill(strategies=1, runs_per_day=10), bill(strategies=2, runs_per_day=10)
    more = two.message_bytes - one.message_bytes
    weekdays = MONTH_HOURS / 24 * 5 / 7
    assert more == pytest.approx(10 * weekdays * (80_000 + 2_000))
    assert one.message_bytes / GIB < 1


def test_windows_need_two_more_jobs() -> None:
    of = bill()
    always, windows = Shape("", MONTH_HOURS), Shape("", Decimal(100))
    assert dollars(of, windows, "Scheduler") - dollars(of, always, "Scheduler") == Decimal("0.20")


# ---------------------------------------------------------------------- what is deployed


MODULE = Path("infra/terraform/modules/trading")
SIZES = re.compile(r'limits\s*= \{ cpu = "(\d+)", memory = "(\w+)" \}')


def gib(said: str) -> Decimal:
    return Decimal(said[:-2]) / {"Gi": 1, "Mi": 1024}[said[-2:]]


def test_the_pool_is_as_large_as_terraform_makes_it(root: Path) -> None:
    text = (root / MODULE / "worker_pool.tf").read_text(encoding="utf-8")
    ours, theirs = [(Decimal(cpu), gib(memory)) for cpu, memory in SIZES.findall(text)]
    made = {"commander": ours, "guard": ours, "ib-gateway": theirs}
    assert made == {one.name: (one.vcpu, one.gib) for one in POOL}


def test_a_function_is_at_most_as_large_as_is_counted(root: Path) -> None:
    text = (root / MODULE / "functions.tf").read_text(encoding="utf-8")
    assert max(map(gib, re.findall(r'"(\d+[GM]i)"', text))) == FUNCTION.gib
    assert 'cpu = "1"' in text
    assert FUNCTION.vcpu == 1


def test_the_pod_is_as_large_as_its_manifest_asks_for(root: Path) -> None:
    text = (root / "infra/gke/base/stateful-set.yaml").read_text(encoding="utf-8")
    sizes = re.findall(
        r"- name: (commander|guard|ib-gateway)\n(?:.*\n)*?\s+cpu: (\w+)\n\s+memory: (\w+)", text
    )
    made = {
        name: (Decimal(cpu.removesuffix("m")) / 1000, gib(memory)) for name, cpu, memory in sizes
    }
    assert made == {one.name: (one.vcpu, one.gib) for one in POD}
    assert f"storage: {POD_DISK_GIB}Gi" in text


def test_as_many_conditions_secrets_and_copies_are_counted_as_terraform_makes(root: Path) -> None:
    texts = {path.name: path.read_text("utf-8") for path in (root / MODULE).glob("*.tf")}
    logged = re.findall(r"^    \w+ = \{$", texts["monitoring.tf"], re.MULTILINE)
    blocks = re.findall(r"^  conditions \{$", texts["monitoring.tf"], re.MULTILINE)
    assert len(logged) + len(blocks) - 1 == ALERT_CONDITIONS
    readers = texts["secrets.tf"].partition("secret_readers = {")[2].partition("}")[0]
    assert len(re.findall(r"=", readers)) == SECRETS
    days, weeks = re.findall(r'retention = "\$\{(\d+)', texts["firestore.tf"])
    kept = read().assumptions
    assert kept["backups_kept"].value == int(days) + int(weeks)
    assert f"keep_count = {kept['images_kept'].value}" in texts["registry.tf"]


# ---------------------------------------------------------------------- the guide


def test_the_table_in_the_guide_is_what_is_measured_today(root: Path) -> None:
    found = Bill(read(), asyncio.run(measured()), cost.load(None, None))
    text = (root / "docs/how-to/deploy.md").read_text(encoding="utf-8")
    assert _words(cost.page(text, found)) == _words(text), "python -m infra.cost --write"
    pairs = zip(_numbers(cost.page(text, found)), _numbers(text), strict=True)
    assert not [pair for pair in pairs if _are_apart(*pair)], "python -m infra.cost --write"


def _are_apart(now: str, told: str) -> bool:
    """Counts may differ by one, and what follows from them by a little."""
    least = Decimal("0.02") if "." in now else Decimal(1)
    one, other = Decimal(now), Decimal(told)
    return abs(one - other) > max(least, one * CLOSE_ENOUGH)


def _words(text: str) -> str:
    return re.sub(r"[\d.,]+", "#", text)


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text)
