"""The files of examples/deploy: the units are sound, and every command in them is one that the command line takes."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from celeriac.cli.main import celeriac_command
from celeriac.cli.state import State

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
UNITS = sorted(path.name for path in DEPLOY.glob("*.service"))


def lines_of(unit):
    return dict(
        line.split("=", 1) for line in (DEPLOY / unit).read_text().splitlines() if "=" in line and line[0] != "#"
    )


def accept(words):
    """Parse the words as the command line does, without running the command.  Raises click.UsageError."""
    name, *options = words
    context = click.Context(celeriac_command, info_name="celeriac", obj=State())
    return celeriac_command.get_command(context, name).make_context(name, options, parent=context)


@pytest.mark.parametrize("unit", UNITS)
def test_the_command_of_a_unit_is_one_that_the_command_line_takes(unit):
    program, *words = shlex.split(lines_of(unit)["ExecStart"])

    assert Path(program).name == "celeriac"
    assert accept(words).params["health"].startswith("unix:/run/")


def test_a_wrong_option_would_be_seen():
    with pytest.raises(click.UsageError, match="No such option"):
        accept(["worker", "--nonsense"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed on this machine")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong_with_a_unit(unit, tmp_path):
    # As the programs and users that the unit names are not here, with ones that are
    name = unit.replace("@.", "@one.")
    text = (DEPLOY / unit).read_text().replace("/srv/celeriac/.venv/bin/celeriac", "/bin/true")
    (tmp_path / name).write_text(text.replace("=celeriac\n", "=root\n"))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_commands_of_the_compose_file_are_ones_that_the_command_line_takes():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    commands = {name: service["command"] for name, service in services.items() if service["command"][0] == "celeriac"}

    assert sorted(commands) == ["beat", "worker"]
    for name, (_, *words) in commands.items():
        port = accept(words).params["health"].rpartition(":")[2]
        assert f":{port}/" in services[name]["healthcheck"]["test"][-1]


def test_the_services_of_the_compose_file_know_where_the_broker_is():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]

    for name in ("worker", "beat"):
        url = services[name]["environment"]["CELERY_BROKER_URL"]
        assert url.split("/")[2].partition(":")[0] in services


def test_the_commands_and_probes_of_the_kubernetes_file_fit_together():
    deployments = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    containers = [pod["spec"]["template"]["spec"]["containers"][0] for pod in deployments]

    assert [container["name"] for container in containers] == ["worker", "beat"]
    for deployment, container in zip(deployments, containers, strict=True):
        port = accept(container["command"][1:]).params["health"].rpartition(":")[2]
        for probe in ("livenessProbe", "readinessProbe"):
            if probe in container:
                assert container[probe]["httpGet"]["port"] == int(port)
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels
