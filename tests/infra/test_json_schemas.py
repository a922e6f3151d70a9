"""The JSON Schemas in the repository."""

from infra.json_schemas import FOLDER, texts


def test_the_files_are_up_to_date() -> None:
    """`python -m infra.json_schemas` makes them so."""
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert found == texts()


def test_every_message_has_one() -> None:
    assert {"commands.Run.json", "market.Market.json", "targets.Targets.json"} <= set(texts())
