"""`docker-compose.yml` as far as that goes without an engine: its schema, and the promises about each service."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import OTHER_NAMES, environment_name, known_names


@pytest.fixture(scope="module")
def compose(repository: Path) -> dict[str, Any]:
    return yaml.safe_load((repository / "docker-compose.yml").read_text(encoding="utf-8"))


def test_the_schema_holds_in_every_profile(repository: Path) -> None:
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("docker-compose is not installed (Debian: apt-get install docker-compose)")
    for profile in ("", "gpu"):
        result = subprocess.run(
            [command, "--profile", profile or "none", "-f", "docker-compose.yml", "config", "-q"],
            cwd=repository,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr


def test_the_five_parts_are_there_and_the_model_server_asks_for_its_profile(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"api", "worker", "postgres", "qdrant", "vllm"}
    assert services["vllm"]["profiles"] == ["gpu"]
    assert [name for name, service in services.items() if "profiles" in service] == ["vllm"]


@pytest.mark.parametrize("name", ["api", "worker", "postgres", "qdrant", "vllm"])
def test_every_service_has_a_health_check_and_no_privileges(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", ["api", "worker", "postgres", "qdrant"])
def test_our_services_do_not_run_as_root(compose: dict[str, Any], name: str) -> None:
    assert compose["services"][name]["user"] not in {"", "root", "0", "0:0"}


@pytest.mark.parametrize("name", ["api", "worker", "postgres"])
def test_file_systems_are_read_only_where_that_is_possible(compose: dict[str, Any], name: str) -> None:
    assert compose["services"][name]["read_only"] is True


def test_ports_are_bound_to_loopback(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secrets_come_from_files_and_stand_in_no_environment(compose: dict[str, Any]) -> None:
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())
    for service in compose["services"].values():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|API_KEY", key):
                assert key.endswith("_FILE")
                assert str(value).startswith("/run/secrets/")


def test_the_database_and_the_store_reach_no_outside_network(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"] == {"internal": True}
    assert compose["services"]["postgres"]["networks"] == ["inside"]
    assert compose["services"]["qdrant"]["networks"] == ["inside"]


def test_images_are_pinned_to_a_version(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert re.search(r":v?\d", service["image"]), service["image"]


def test_the_settings_in_the_file_exist(compose: dict[str, Any]) -> None:
    known = {environment_name(name) for name in known_names()} | set(OTHER_NAMES)
    for service in ("api", "worker"):
        assert set(compose["services"][service]["environment"]) <= known


def test_the_image_holds_the_wheel_alone(repository: Path) -> None:
    dockerfile = (repository / "Dockerfile").read_text(encoding="utf-8")
    last_stage = dockerfile.split("FROM ")[-1]
    assert "COPY --from=build /opt/lastro" in last_stage
    assert "USER lastro" in last_stage
    assert "--require-hashes" in dockerfile
    assert not re.search(r"^COPY (?!--from)", last_stage, re.MULTILINE)
