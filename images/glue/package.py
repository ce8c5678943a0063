"""Write the packages of the Glue jobs: `python images/glue/package.py dist`.

The result is `tickerlake-<version>.gluewheels.zip`, AWS Glue's "zip of wheels": our own wheel,
those of all locked dependencies, and `wheels/requirements.txt`, which pins them. Glue installs it
with `--no-index`, so nothing may be missing that a wheel's metadata asks for, even if no job
imports it.

The wheels are those for the Python and the Linux of Glue, whatever runs this script. The same lock
file and source always give the same bytes: times and order are fixed, and wheels are compressed
already.
"""

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zipfile import ZipFile, ZipInfo

ROOT: Final = Path(__file__).parents[2]
UV: Final = Path(sys.executable).with_name("uv")

PYTHON: Final = "3.13"
"""Of Glue 6.0."""

REPORT: Final = ("--extra", "report")
"""What the transformer needs if it is told to write the report."""

GLIBC: Final = 34
"""Glue runs on Amazon Linux 2023, whose glibc is 2.34."""

MACHINE: Final = "x86_64"
READABLE: Final = 0o644


def lock(folder: Path) -> Path:
    """Write what the lock file says for Glue's Python and Linux, with hashes; the file's path."""
    everywhere, locked = folder / "everywhere.txt", folder / "locked.txt"
    _uv("export", "--locked", "--no-dev", "--no-emit-project", *REPORT, "--output-file", everywhere)
    target = ["--python-version", PYTHON, "--python-platform", f"{MACHINE}-manylinux_2_{GLIBC}"]
    _uv("pip", "compile", "--no-deps", "--generate-hashes", *target, "-o", locked, everywhere)
    return locked


def download(locked: Path, wheels: Path) -> None:
    """Download the wheels that a requirements file pins, and check their hashes."""
    legacy = [f"manylinux{name}_{MACHINE}" for name in ("2014", "2010", "1")]
    platforms = [f"manylinux_2_{minor}_{MACHINE}" for minor in range(GLIBC, 4, -1)] + legacy
    abis = [f"cp{PYTHON.replace('.', '')}", "abi3", "none"]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary", ":all:", "--require-hashes"),
            *("--implementation", "cp", "--python-version", PYTHON),
            *(word for abi in abis for word in ("--abi", abi)),
            *(word for platform in platforms for word in ("--platform", platform)),
            *("--dest", wheels, "--requirement", locked),
        ],
        check=True,
    )


def pack(wheels: Path, target: Path) -> None:
    """Pack a folder's wheels, and the requirements file that pins them."""
    found = sorted(wheels.glob("*.whl"))
    with ZipFile(target, "w") as archive:
        for wheel in found:
            archive.writestr(_entry(wheel.name), wheel.read_bytes())
        archive.writestr(_entry("requirements.txt"), "".join(map(_pin, found)))


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(f"wheels/{name}")  # dated 1980-01-01
    entry.create_system = 3  # Unix, on every machine
    entry.external_attr = READABLE << 16
    return entry


def _pin(wheel: Path) -> str:
    """Return the line of a requirements file for a wheel, such as `curl-cffi==0.16.3`."""
    name, version, *_ = wheel.name.split("-")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}\n"


def _uv(*arguments: str | Path) -> None:
    subprocess.run([UV, "--quiet", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def main(dist: Path) -> None:
    """Build our wheel, fetch the others, and write the zip file into a folder."""
    with TemporaryDirectory() as work:
        wheels = Path(work, "wheels")
        _uv("build", "--wheel", "--out-dir", wheels)
        [ours] = wheels.glob("*.whl")
        version = ours.name.split("-")[1]
        download(lock(Path(work)), wheels)
        pack(wheels, dist / f"tickerlake-{version}.gluewheels.zip")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
