"""The functions' source bundle: `main.py` at its root, beside `functions/` and `schemas/`.

functions-framework and the buildpacks load the source by path and put only that file's folder on
the path, so the entry points must stand where `functions` and `schemas` can be imported.

    python -m infra.bundles build/functions
"""

import shutil
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("functions", "schemas")
ENTRY_POINTS: Final = Path("functions/main.py")
REQUIREMENTS: Final = Path("requirements/functions.txt")


def files() -> dict[Path, Path]:
    """Where each file of the bundle comes from, place in the bundle -> source."""
    sources = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    kept = [path.relative_to(ROOT) for path in sources]
    return {
        Path("main.py"): ROOT / ENTRY_POINTS,
        Path("requirements.txt"): ROOT / REQUIREMENTS,
        **{path: ROOT / path for path in kept if path != ENTRY_POINTS},
    }


def write(folder: Path) -> int:
    """Write the bundle into a folder that is absent or empty; return the number of files.

    Raises `FileExistsError` when something is there: a stale module would be deployed with it.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; remove it first")
    found = files()
    for place, source in found.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / place)
    return len(found)


def main(arguments: list[str]) -> int:
    """`python -m infra.bundles FOLDER`."""
    if len(arguments) != 1:
        print("usage: python -m infra.bundles FOLDER", file=sys.stderr)
        return 2
    try:
        count = write(Path(arguments[0]))
    except FileExistsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} files in {arguments[0]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
