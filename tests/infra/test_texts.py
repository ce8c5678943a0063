"""What documentation and examples say of `infra/` is what `infra/` says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tickerlake.stages.plan import prices

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
MODULES = sorted(path for path in (INFRA / "modules").iterdir() if path.is_dir())


def blocks(file: Path, kind: str) -> dict[str, str]:
    """The bodies of a file's blocks of one kind, by name."""
    text = file.read_text()
    found = re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', text, re.DOTALL | re.MULTILINE)
    return dict(found)


def description(body: str) -> str:
    [found] = re.findall(r'description = "(.*)"\n', body)
    return found.replace('\\"', '"')


INPUTS = blocks(INFRA / "variables.tf", "variable")
OUTPUTS = blocks(INFRA / "outputs.tf", "output")


def test_the_readme_lists_every_input_and_output():
    rows = re.findall(
        r"^\| `(\w+)` \|(?: [^|]+ \|)? ([^|]+) \|$",
        (INFRA / "README.md").read_text(),
        re.MULTILINE,
    )
    declared = [*INPUTS.items(), *OUTPUTS.items()]
    wanted = [(name, description(body)) for name, body in declared]
    assert rows == wanted


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_every_module_has_a_readme_and_tests(module):
    assert (module / "README.md").read_text().startswith(f"# {module.name}\n")
    tests = INFRA / "tests" / f"{module.name}.tftest.hcl"
    assert f'source = "./modules/{module.name}"' in tests.read_text()
    assert f"[{module.name}](modules/{module.name}/)" in (INFRA / "README.md").read_text()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_only_the_root_validates(module):
    assert "validation {" not in (module / "variables.tf").read_text()


def test_every_validated_input_is_refused_once_at_least():
    refused = (INFRA / "tests" / "rejected.tftest.hcl").read_text()
    validated = [name for name, body in INPUTS.items() if "validation {" in body]
    assert set(validated) <= set(re.findall(r"\bvar\.(\w+)", refused))


@pytest.mark.parametrize(
    "file", [INFRA / "variables.tf", INFRA / "outputs.tf"], ids=lambda p: p.name
)
def test_descriptions_are_sentences(file):
    kind = "variable" if file.name == "variables.tf" else "output"
    for name, body in blocks(file, kind).items():
        assert re.fullmatch(r"[A-Z].*\.", description(body)), name


def test_the_example_names_inputs_that_exist():
    example = (INFRA / "terraform.tfvars.example").read_text()
    assert set(re.findall(r"^(?:# )?(\w+) += ", example, re.MULTILINE)) <= INPUTS.keys()


def test_the_backend_example_is_terraform():
    if not shutil.which("terraform"):
        pytest.skip("Terraform is not installed")
    text = (INFRA / "backend.tf.example").read_text()
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "use_lockfile = true" in text
    assert 'required_version = ">= 1.10"' in (INFRA / "versions.tf").read_text()


def test_the_text_on_costs_names_the_models_assumptions():
    text = " ".join((ROOT / "docs" / "deploy.md").read_text().split())
    assert f"collected on {prices.COLLECTED}" in text
    assert f"{prices.DPU} DPU at {prices.Prices().glue} dollars an hour" in text
    assert f"{prices.RUNS} runs of both jobs" in text
    assert f"{prices.FULL_QUERIES} Athena queries over all of `daily`" in text
    assert f"{prices.ALARMS} alarms; {prices.LOG_MB} MB of logs" in text


def test_a_release_builds_what_the_repository_builds():
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    targets = re.findall(r"--target (\w+)", (ROOT / "Makefile").read_text())
    assert f"target: [{', '.join(targets)}]" in text
    assert "run: make dist\n" in text


def test_the_provider_is_locked_on_every_platform():
    """Terraform's registry has the AWS provider for 14 platforms, and a file that they share."""
    lock = (INFRA / ".terraform.lock.hcl").read_text()
    assert re.search(r'version += "5\.100\.0"', lock)
    assert len(re.findall(r'"zh:[0-9a-f]{64}"', lock)) == 15
    assert len(re.findall(r'"h1:[\w+/]{43}="', lock)) == 14
    done = subprocess.run(
        ["git", "check-ignore", INFRA / ".terraform.lock.hcl"], cwd=ROOT, check=False
    )
    assert done.returncode != 0, "the lock file is ignored"
