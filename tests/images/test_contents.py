"""What lies in an image: its bundle, the libraries of its lock, and nothing else of ours."""

import os
import re
import stat
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

from infra import bundles
from infra.images import IMAGES, ROOT, Container
from tests.images.running import output, running

COMPILERS = {"cc", "c++", "gcc", "g++", "clang", "ld", "make", "rustc", "go"}
TEMPORARY = {"tmp", "var/tmp", "run/lock"}
PIN = re.compile(r"^([a-z0-9-]+)==([^ ]+)", re.MULTILINE)

each_image = pytest.mark.parametrize("name", IMAGES)
with_libraries = pytest.mark.parametrize("name", ["gateway", "functions"])


def ours(root: Path) -> set[str]:
    """The files of the image's own folder but for libraries and bytecode."""
    folder = root / "app"
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(p) for p in found if p.parts[0] != ".venv" and p.suffix != ".pyc"}


def sources(*packages: str) -> set[str]:
    found = (path for package in packages for path in (ROOT / package).rglob("*.py"))
    return {str(path.relative_to(ROOT)) for path in found}


def test_the_gateway_holds_gateway_and_schemas_without_the_simulator(
    containers: dict[str, Container],
) -> None:
    held = ours(containers["gateway"].root)
    assert held == sources("gateway", "schemas") - sources("gateway/simulator")


def test_the_functions_hold_their_bundle(containers: dict[str, Container]) -> None:
    assert ours(containers["functions"].root) == {str(place) for place in bundles.files()}


def test_the_simulator_holds_itself_and_invented_bars(containers: dict[str, Container]) -> None:
    bars = {f"bars/{path.name}" for path in (ROOT / "infra/local/bars").iterdir()}
    read = {"market/example_contracts.toml", "conformance/simulator.json"}
    read = {f"gateway/simulator/{name}" for name in read}
    held = ours(containers["simulator"].root)
    assert held == sources("gateway/simulator") | read | bars
    assert not (containers["simulator"].root / "app/.venv").exists()


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@with_libraries
def test_the_libraries_are_those_of_the_lock_and_pip_is_not_among_them(
    container: Container, name: str
) -> None:
    lock = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
    pinned = {(canonical(found), version) for found, version in PIN.findall(lock)}
    folders = list(map(str, (container.root / "app/.venv/lib").glob("python*/site-packages")))
    found = distributions(path=folders)
    assert {(canonical(one.name), one.version) for one in found} == pinned
    assert not list((container.root / "app/.venv/bin").glob("pip*"))


@each_image
def test_there_are_no_tests_and_no_compiler(container: Container, name: str) -> None:
    assert [path for path in (container.root / "app").rglob("tests") if path.is_dir()] == []
    folders = ("app/.venv/bin", "bin", "usr/bin", "usr/local/bin")
    programs = {p.name for folder in folders for p in container.root.glob(f"{folder}/*")}
    assert programs & COMPILERS == set()


def writable(root: Path) -> Iterator[str]:
    """What user 10001 could write to if the file system were not read-only."""
    for folder, folders, names in os.walk(root):
        for place in (Path(folder, name) for name in (*folders, *names)):
            found = place.lstat()
            if stat.S_ISLNK(found.st_mode):
                continue
            if found.st_mode & stat.S_IWOTH or found.st_uid == 10001 or found.st_gid == 10001:
                yield str(place.relative_to(root))


@each_image
def test_nothing_but_temporary_folders_can_be_written_by_its_user(
    container: Container, name: str
) -> None:
    app = list(writable(container.root / "app"))
    rest = {path for path in writable(container.root) if not path.startswith(("dev/", "proc/"))}
    assert app == []
    assert rest <= TEMPORARY


WHO = """
import os, pathlib
print(os.getuid(), os.getgid(), os.getgroups(), os.getpid(), os.getcwd())
capable = [line for line in open("/proc/self/status") if line.startswith(("CapEff", "NoNewPrivs"))]
print(*"".join(capable).split())
pathlib.Path("/tmp/x").write_text("x")
for place in ("/app/x", "/x", "/var/tmp/x"):
    try:
        pathlib.Path(place).write_text("x")
    except OSError as error:
        print(error.strerror)
"""


@each_image
async def test_it_runs_as_nobody_special_and_writes_nowhere(
    container: Container, name: str, shared: Path
) -> None:
    """Also that the bench runs it so, which the other tests rely on."""
    said = (await output(container, shared, WHO)).splitlines()
    assert said[:2] == ["10001 10001 [] 1 /app", "CapEff: 0000000000000000 NoNewPrivs: 1"]
    assert said[2:] == ["Read-only file system"] * 3


IMPORTS = """
import importlib, pathlib, sys
names = sorted(
    ".".join(path.with_suffix("").parts)
    for package in sys.argv[1:] for path in pathlib.Path(package).rglob("*.py")
    if path.stem != "__main__"
)
modules = [importlib.import_module(name) for name in names]
uncompiled = [m.__name__ for m in modules if not pathlib.Path(m.__cached__).exists()]
print(len(modules), uncompiled)
"""


@pytest.mark.parametrize(
    ("name", "packages"),
    [
        ("gateway", ("gateway", "schemas")),
        ("functions", ("functions", "schemas")),
        ("simulator", ("gateway",)),
    ],
)
async def test_every_module_imports_and_comes_as_bytecode(
    container: Container, name: str, packages: tuple[str, ...], shared: Path
) -> None:
    arguments = ["-W", "error::ImportWarning", "-c", IMPORTS, *packages]
    async with running(container, {}, shared, arguments, ["python"]) as process:
        assert await process.ended() == 0, process.said
        number, uncompiled = process.lines[-1].split(" ", 1)
        assert (int(number) > 20, uncompiled) == (True, "[]")


@with_libraries
async def test_the_libraries_come_as_bytecode_too(
    container: Container, name: str, shared: Path
) -> None:
    """A start that compiles them takes three times as long, each time: nothing is kept."""
    code = (
        "import google.cloud.pubsub_v1, msgspec, pandas, pathlib, sys; print([m for m in "
        "list(sys.modules) if (f := getattr(sys.modules[m], '__cached__', None)) and "
        "not pathlib.Path(f).exists() and '.venv' in f])"
    )
    assert (await output(container, shared, code)).splitlines()[-1] == "[]"


@each_image
def test_the_image_says_what_it_is_and_how_it_wants_to_be_stopped(
    container: Container, name: str
) -> None:
    config = container.image.config
    assert config["User"] == "10001:10001"
    assert config["WorkingDir"] == "/app"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["org.opencontainers.image.title"] == f"ib-trading {name}"
    assert "Healthcheck" not in config
    assert not [v for v in config["Env"] if re.search(r"(?i)password|secret|token", v)]
