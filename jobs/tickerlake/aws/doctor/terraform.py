"""Terraform: what a folder with `infra/` will create, and what it has created."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tickerlake.errors import UsageError

Clients = Callable[[str], Any]
"""Returns the client of a service, as `boto3.Session.client` does."""

INPUTS: Final = (
    "name",
    "region",
    "account_id",
    "dist",
    "tickers",
    "worker_type",
    "extractor_workers",
    "transformer_workers",
    "reserved_concurrency",
    "email",
    "existing_bucket",
    "kms_key_arn",
    "iam_path",
    "budget",
    "lake_formation",
)
"""The variables of `infra/` that the checks need."""

_SECONDS: Final = 300

_DECORATION: Final = re.compile(r"\x1b\[[0-9;]*m|[╷│╵├─]")
"""Colours and frames around Terraform's messages."""


@dataclass(frozen=True)
class Deployment:
    """A deployment: planned, or applied.

    Attributes:
        folder: with the configuration.
        version: Terraform's, as in 1.11.4.
        backend: where the state is kept, as in `s3`.
        inputs: the variables' values, by name.
        outputs: the outputs' values, by name; none before the first apply.
    """

    folder: Path
    version: str
    backend: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]

    @property
    def is_applied(self) -> bool:
        """Whether there has been an apply."""
        return bool(self.outputs)

    @property
    def dist(self) -> Path:
        """The folder that `make dist` fills."""
        return (self.folder / str(self.inputs["dist"])).resolve()


def read(folder: Path) -> Deployment:
    """Ask Terraform about a folder: its variables as they would be applied, and its outputs.

    Raises:
        UsageError: Terraform is missing, or can't read the folder; the message says what to do.
    """
    if not (folder / "variables.tf").is_file():
        raise UsageError(f"{folder} has no variables.tf: give --infra the repository's infra/")
    if shutil.which("terraform") is None:
        raise UsageError("Terraform is not installed: get version 1.10 or newer")
    version = json.loads(_run(folder, "version", "-json"))["terraform_version"]
    if not (folder / ".terraform").is_dir():
        raise UsageError(f"Terraform {version}: run `terraform init` in {folder} first")
    values = ",".join(f"{name}=var.{name}" for name in INPUTS)
    inputs = _values(_run(folder, "console", asked=f"jsonencode({{{values}}})\n"), folder)
    outputs = json.loads(_run(folder, "output", "-json"))
    return Deployment(
        folder,
        version,
        _backend(folder),
        inputs,
        {name: each["value"] for name, each in outputs.items()},
    )


def _values(said: str, folder: Path) -> dict[str, Any]:
    """Read what `console` prints: JSON in a string, after warnings."""
    try:
        found: dict[str, Any] = json.loads(json.loads(said.strip().splitlines()[-1]))
    except (ValueError, IndexError) as error:
        raise UsageError(
            f"name or region is missing: set them in {folder}/terraform.tfvars"
        ) from error
    return found


def _backend(folder: Path) -> str:
    try:
        state = json.loads((folder / ".terraform" / "terraform.tfstate").read_text())
        return str(state["backend"]["type"])
    except (OSError, ValueError, KeyError, TypeError):
        return "local"


def _run(folder: Path, *command: str, asked: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [str(shutil.which("terraform")), f"-chdir={folder}", *command],
            input=asked,
            env={**os.environ, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"`terraform {command[0]}` did not end in {_SECONDS} seconds") from error
    # `console` ends with exit code 0 although a variable is invalid
    _, is_wrong, reason = _DECORATION.sub(" ", done.stderr).partition("Error:")
    if done.returncode or is_wrong:
        reason = " ".join((reason or done.stderr).split())
        raise UsageError(f"`terraform {command[0]}` failed in {folder}: {reason}")
    return done.stdout
