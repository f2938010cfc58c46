"""docker-compose.yml and Dockerfile: every part that they name is there. (No container is started here.)"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from webapp.deploy.secrets import make_secrets

HOUSE = Path(__file__).resolve().parents[2]
DOCKERFILE = (HOUSE / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((HOUSE / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_service_has_an_image_or_a_target_to_build(name: str) -> None:
    service = SERVICES[name]
    if "image" not in service:
        assert f" AS {service['build']['target']}\n" in DOCKERFILE


def test_every_manage_command_exists() -> None:
    words = [word for service in SERVICES.values() for word in service.get("command", [])]
    named = re.findall(r"manage\.py (\w+)", " ".join(words))
    assert {"migrate", "make_bucket", "register_zoo", "record", "keep_library"} <= set(named)
    assert set(named) <= set(get_commands())


def test_every_file_that_an_image_copies_is_there_and_sent_to_the_builder() -> None:
    sent = [line[1:] for line in (HOUSE / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in DOCKERFILE.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for path in shlex.split(line)[1:-1]:
                assert (HOUSE / path).exists(), path
                above = [Path(path), *Path(path).parents]
                assert any(part.match(pattern) for part in above for pattern in sent), f"{path} is ignored"


def test_web_image_has_no_torch() -> None:
    web = DOCKERFILE.split(" AS web\n")[1].split("\nFROM ")[0]
    assert "-r requirements-web.in -c requirements.lock" in web
    copied = [line.split()[1] for line in web.splitlines() if line.startswith("COPY ")]
    assert "modelcore" not in copied and "kernels" not in copied
    assert "torch" not in (HOUSE / "requirements-web.in").read_text().split("\n", 2)[2]


WORKERS = [name for name in SERVICES if name.startswith("worker-")]


@pytest.mark.parametrize("name", WORKERS)
def test_worker_knows_no_database(name: str) -> None:
    assert set(SERVICES[name]["environment"]) == {"REDIS_URL_FILE", "HEADLIGHT_DATA"}
    assert SERVICES[name]["secrets"] == ["broker_url"]


def test_only_the_proxy_is_published() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"proxy": ["80:80", "443:443"]}


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_limited_read_only_and_keeps_no_secret_in_its_environment(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["restart"] in ("unless-stopped", "no")
    assert service["deploy"]["resources"]["limits"]["memory"]
    given = service.get("environment", {})
    secret = [key for key in given if re.search("PASSWORD|SECRET|_URL", key)]
    assert all(key.endswith("_FILE") for key in secret), secret
    named = {path.rpartition("/")[2] for path in given.values() if path.startswith("/run/secrets/")}
    assert named <= set(service.get("secrets", []))


@pytest.mark.parametrize("name", ["proxy", "web", "broker", "database", "storage"])
def test_service_that_others_wait_for_says_whether_it_is_well(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


def test_secrets_are_made_once_and_fit_one_another(tmp_path: Path) -> None:
    names = make_secrets(tmp_path / "secrets")
    assert set(names) == set(yaml.safe_load((HOUSE / "docker-compose.yml").read_text())["secrets"])
    told = {name: (tmp_path / "secrets" / name).read_text() for name in names}
    assert told["broker_password"] in told["broker_url"] and told["database_password"] in told["database_url"]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert make_secrets(tmp_path / "secrets") == []
    assert {name: (tmp_path / "secrets" / name).read_text() for name in names} == told


def test_secrets_that_are_missing_are_added_and_the_others_stay(tmp_path: Path) -> None:
    """An installation from before there was a storage must not lose the password of its database."""
    folder = tmp_path / "secrets"
    make_secrets(folder)
    new = {path.name for path in folder.glob("storage_*")}
    for name in new:
        (folder / name).unlink()
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(make_secrets(folder)) == new == {"storage_access_key", "storage_secret_key", "storage_identities"}
    after = {path.name: path.read_text() for path in folder.iterdir()}
    assert {name: after[name] for name in before} == before
    ((identity),) = json.loads(after["storage_identities"])["identities"]
    opened = {"accessKey": after["storage_access_key"], "secretKey": after["storage_secret_key"]}
    assert identity["credentials"] == [opened]


def test_storage_is_reached_by_the_site_alone() -> None:
    """Whoever reaches SeaweedFS's inner ports needs no key."""
    networks = {name: service.get("networks", ["default"]) for name, service in SERVICES.items()}
    there = {name for name, joined in networks.items() if "storage" in joined}
    assert there == {"storage", "web", "recorder", "librarian", "prepare"}
    assert networks["storage"] == ["storage"]


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
@pytest.mark.parametrize("profile", ["cpu", "cuda"])
def test_file_is_understood_by_docker_compose(profile: str, tmp_path: Path) -> None:
    shutil.copy(HOUSE / "docker-compose.yml", tmp_path)
    make_secrets(tmp_path / "secrets")
    command = ["docker-compose", "--profile", profile, "config", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_variables_of_services_are_in_the_readmes_table() -> None:
    table = (HOUSE / "README.md").read_text(encoding="utf-8").split("## Settings")[1].split("\n## ")[0]
    files = [path.read_text() for path in (HOUSE / "webapp" / "deploy" / "systemd").glob("*.conf")]
    given = {name for service in SERVICES.values() for name in service.get("environment", {})}
    given |= {name for text in files for name in re.findall(r"^([A-Z_]+)=", text, re.M)}
    ours = {name.removesuffix("_FILE") for name in given if name.startswith(("HEADLIGHT_", "REDIS_", "DATABASE_"))}
    assert all(f"`{name}`" in table for name in ours - {"HEADLIGHT_HOST", "HEADLIGHT_UPSTREAM"})


UNITS = sorted((HOUSE / "webapp" / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_unit_of_systemd_starts_what_its_container_starts(unit: Path) -> None:
    """Options that name places differ, the program and its other options do not."""
    (started,) = re.findall(r"^ExecStart=/opt/headlight/\.venv/bin/python (.*)$", unit.read_text(), re.M)
    name = {"headlight-web": "web", "headlight-recorder": "recorder"}.get(unit.stem, "worker-interactive")
    words = SERVICES[name]["command"]
    program = " ".join(words[1:3] if words[0] == "python" else words[:2])
    assert program in started.removeprefix("-m ")
    options = {word for word in words if word.startswith("--")} - {"--forwarded-allow-ips"}
    assert options <= set(started.split())
