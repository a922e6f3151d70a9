"""Which libraries a file stands on, read off its import lines."""

from pathlib import Path

from infra import bundles
from infra.bench.imports import imports, libraries

SOURCE = """
import asyncio
from decimal import Decimal
import msgspec
from google.cloud import firestore
from schemas import codec
from gateway.core.desk import Desk

def late() -> None:
    import pandas
"""


def test_libraries_are_what_is_neither_standard_nor_ours(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text(SOURCE)
    assert libraries([file]) == "import msgspec\nfrom google.cloud import firestore"


def test_a_line_that_stands_in_two_files_is_taken_once(tmp_path: Path) -> None:
    files = [tmp_path / "one.py", tmp_path / "two.py"]
    for file in files:
        file.write_text("import msgspec\n")
    assert libraries(files) == "import msgspec"


def test_only_the_bundle_with_indicators_stands_on_pandas(tmp_path: Path) -> None:
    bundles.write(tmp_path / "bundle")
    plain, indicators, gateway = imports(tmp_path / "bundle")
    assert "import pandas_ta" in indicators.libraries
    assert "pandas" not in plain.libraries + gateway.libraries
    assert "import ib_async" in gateway.libraries
