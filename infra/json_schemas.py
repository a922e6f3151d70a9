"""`schemas/json/*.json`: the JSON Schema of every message, for people's editors and the docs.

    python -m infra.json_schemas

A test says when they are out of date.
"""

import json
from pathlib import Path
from typing import Final

from schemas.codec import json_schema
from schemas.messages import TOPICS

FOLDER: Final = Path(__file__).resolve().parents[1] / "schemas" / "json"


def texts() -> dict[str, str]:
    """File name -> content, one for each message: `commands.Run.json`, `targets.Targets.json`."""
    return {
        f"{topic}.{kind.__name__}.json": json.dumps(json_schema(kind), indent=2) + "\n"
        for kind, topic in TOPICS.items()
    }


def main() -> None:
    """Write all of them, and remove those of messages that are no more."""
    FOLDER.mkdir(exist_ok=True)
    found = texts()
    for stale in FOLDER.glob("*.json"):
        if stale.name not in found:
            stale.unlink()
    for name, text in found.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
