import cli_reference
import click
import pytest

COMMANDS = list(cli_reference.commands())


def test_the_file_is_up_to_date():
    assert cli_reference.PATH.read_text(encoding="utf-8") == cli_reference.render(), (
        "run: make docs"
    )


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS]
)
def test_everything_has_help(path, command):
    assert command.help, path
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path}: {parameter.name} has no help"
            assert parameter.help.split("  [")[0].endswith("."), f"{path}: {parameter.name}"
            if not parameter.is_flag and not isinstance(parameter.type, click.Choice):
                assert parameter.metavar, f"{path}: {parameter.name} does not say what to type"


def test_every_command_is_in_the_reference():
    text = cli_reference.render()
    for path, _ in COMMANDS:
        assert f"# {' '.join(path)}\n" in text
