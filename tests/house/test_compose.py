"""docker-compose.yml and Dockerfile: every part that they name is there. (No container is started here.)"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

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
    assert set(named) == {"migrate", "register_zoo", "record", "keep_library"}
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


def test_worker_knows_no_database() -> None:
    assert set(SERVICES["worker-interactive"]["environment"]) == {"REDIS_URL"}


def test_only_the_web_is_published_and_on_loopback_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"]}
