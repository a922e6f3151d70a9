"""`infra/terraform/topology/*.json`: the topology of each mode, for Terraform to read.

    python -m infra.topology_json

A strategy that is added, or that changes its schedule, changes these files; a test says when they
are out of date. Terraform has no other list of topics, subscriptions, services and schedules.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from functions.registry import specs
from infra.topology import topology
from schemas.values import Mode

FOLDER: Final = Path(__file__).resolve().parent / "terraform" / "topology"


def texts() -> dict[str, str]:
    """File name -> content, one for each mode."""
    strategies = specs()
    return {
        f"{mode}.json": json.dumps(_plain(asdict(topology(mode, strategies))), indent=2) + "\n"
        for mode in Mode
    }


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """Filters as objects; a mode's enumeration as its word."""
    found["mode"] = str(found["mode"])
    for subscription in found["subscriptions"]:
        subscription["filter"] = dict(subscription["filter"])
    return found


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
