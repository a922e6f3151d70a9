"""Our images, built with buildah and entered on this machine: `python -m infra.images`.

For `make image-test`. There is no registry here, so the base is made of Debian's own packages, once
a month, and stands in for the one that the Dockerfiles name; what is proven is all that we add to
it. Needs root, and Debian's buildah and debootstrap; without them it ends with 3, never with 0.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "infra/containers"
CACHE: Final = ROOT / ".local/images"

IMAGES: Final = ("simulator", "gateway", "functions")
BASE: Final = "docker.io/library/python:3.13-slim"
SUITE: Final = "trixie"
"""Debian's release that has the Python of `BASE`."""
PACKAGES: Final = ("ca-certificates", "python-is-python3", "python3", "python3-pip", "python3-venv")
CERTIFICATES: Final = Path("etc/ssl/certs/ca-certificates.crt")

TOOLS: Final = ("buildah", "debootstrap", "unshare", "setpriv")
EXIT_MISSING: Final = 3
EXIT_FAILED: Final = 1

_BASE_DOCKERFILE: Final = f"""FROM scratch
ADD rootfs.tar /
ENV SSL_CERT_FILE=/{CERTIFICATES} PIP_CERT=/{CERTIFICATES}
"""


class Missing(Exception):
    """This machine cannot build images; the text says what to do."""


class Failed(Exception):
    """An image could not be built; the text is the end of what the tool said."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image, as it was built."""

    name: str
    size_bytes: int
    base_bytes: int
    config: Mapping[str, Any]

    @property
    def tag(self) -> str:
        """What buildah knows it by."""
        return tag_of(self.name)

    @property
    def added_bytes(self) -> int:
        """What it has beyond the base."""
        return self.size_bytes - self.base_bytes


@dataclass(frozen=True, slots=True)
class Container:
    """An image's files, at `root` on this machine, and how to run what is in them."""

    image: Image
    root: Path

    def command(
        self,
        environment: Mapping[str, str],
        shared: Path,
        arguments: Sequence[str] | None = None,
        entry_point: Sequence[str] | None = None,
    ) -> list[str]:
        """The command that runs the image with these arguments, or those that it has itself."""
        config = self.image.config
        entry = config["Entrypoint"] if entry_point is None else entry_point
        rest = config.get("Cmd") or () if arguments is None else arguments
        variables = [*config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        inside = [*variables, *entry, *rest]
        unshare = ["unshare", "--mount", "--pid", "--fork"]
        where = [str(self.root), config["User"], config["WorkingDir"], str(shared)]
        return [*unshare, str(FOLDER / "enter.sh"), *where, *inside]


def tag_of(name: str) -> str:
    """An image's tag on this machine."""
    return f"localhost/ib-trading/{name}"


def check_tools() -> None:
    """Raise `Missing` with what to do unless images can be built here."""
    absent = [tool for tool in TOOLS if not shutil.which(tool)]
    if absent:
        raise Missing(
            f"no image was built: {', '.join(absent)} not found; on Debian as root: apt-get "
            "install --no-install-recommends buildah debootstrap"
        )
    if os.geteuid() != 0:
        raise Missing("no image was built: debootstrap and read-only mounts need root")


def build(name: str) -> Image:
    """Build one image over the base. Raises `Failed`."""
    dockerfile = FOLDER / f"{name}.Dockerfile"
    options = ["--isolation", "chroot", "--layers", "--pull-never", "--quiet"]
    _buildah("bud", *options, "--tag", tag_of(name), "--file", str(dockerfile), str(ROOT))
    return inspected(name)


def inspected(name: str) -> Image:
    """An image that was built before. Raises `Failed` where there is none."""
    config = json.loads(_buildah("inspect", "--type", "image", tag_of(name)))["OCIv1"]["config"]
    return Image(name, _size_bytes(tag_of(name)), _size_bytes(BASE), config)


@contextmanager
def opened(image: Image) -> Iterator[Container]:
    """Its files, until left."""
    made = _buildah("from", "--pull-never", image.tag).strip()
    try:
        yield Container(image, Path(_buildah("mount", made).strip()))
    finally:
        _buildah("umount", made)
        _buildah("rm", made)


def make_base(now: datetime) -> None:
    """Make the stand-in for the base, unless this month's is there. Raises `Missing`, `Failed`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{CACHE}/storage"\nrunroot = "{CACHE}/run"\n'
    )
    tarball = CACHE / f"{SUITE}-{now:%Y-%m}.tar"
    marker = CACHE / "base"
    if not tarball.exists():
        _bootstrap(tarball)
    if marker.exists() and marker.read_text() == tarball.name:
        return
    context = CACHE / "context"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()
    (context / "rootfs.tar").hardlink_to(tarball)
    (context / "Dockerfile").write_text(_BASE_DOCKERFILE)
    _buildah("bud", "--isolation", "chroot", "--quiet", "--tag", BASE, str(context))
    shutil.rmtree(context)
    marker.write_text(tarball.name)


def _bootstrap(tarball: Path) -> None:
    """Debian's packages as a file system, with this machine's certificates: builds go online."""
    for old in CACHE.glob(f"{SUITE}-*.tar"):
        old.unlink()
    folder = CACHE / "rootfs"
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--variant=minbase", f"--include={','.join(PACKAGES)}"]
    done = _run(["debootstrap", *options, SUITE, str(folder), _mirror()])
    if done.returncode:
        raise Missing(f"no image was built: debootstrap could not make a base: {_end(done)}")
    shutil.copyfile("/" / CERTIFICATES, folder / CERTIFICATES)
    for rest in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(folder / rest)
    _run(["tar", "--directory", str(folder), "--create", "--file", f"{tarball}.new", "."])
    Path(f"{tarball}.new").rename(tarball)
    shutil.rmtree(folder)


def _mirror() -> str:
    """Where this machine gets Debian's packages from. Raises `Missing`."""
    form = ["--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"]
    found = _run(["apt-get", "indextargets", *form])
    for line in found.stdout.splitlines():
        origin, _, address = line.partition(" ")
        if origin == "Debian":
            return address
    raise Missing("no image was built: apt knows no source of Debian's packages")


def _size_bytes(tag: str) -> int:
    """An image's files as they lie unpacked."""
    (found,) = json.loads(_buildah("images", "--json", tag))
    with_unit: str = found["size"]
    number, unit = with_unit.split()
    return round(float(number) * {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}[unit.upper()])


def _buildah(*arguments: str) -> str:
    done = _run(["buildah", *arguments])
    if done.returncode:
        raise Failed(f"buildah {arguments[0]}: {_end(done)}")
    return done.stdout


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(CACHE / "storage.conf")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _end(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + done.stderr).strip().splitlines()
    return "\n".join(lines[-15:])


def main() -> int:
    """Build all images and say how large they are; the exit code."""
    try:
        check_tools()
        make_base(datetime.now(UTC))
        for name in IMAGES:
            before = time.monotonic()
            image = build(name)
            seconds = time.monotonic() - before
            print(
                f"{name:<10} {image.size_bytes / 1e6:4.0f} MB, of which ours "
                f"{image.added_bytes / 1e6:4.0f} MB; built in {seconds:.0f} s",
                flush=True,
            )
    except Missing as error:
        print(error, file=sys.stderr)
        return EXIT_MISSING
    except Failed as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
