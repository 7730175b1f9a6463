import json
import logging
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
import structlog
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from api.errors import UnexpectedErrors, install
from api.logs import configure_logs
from api.telemetry import Metrics, RequestLog
from retrieval.access import LabelScale
from serving.model import Answer, Cost, Egress, Refusal, RefusalReason, Route

CANARY = "canary-5b21"


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_line_is_json_on_standard_error_with_process_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", process="api")
    structlog.get_logger().info("ready", port=8080)
    structlog.get_logger().debug("too_quiet")
    (line,) = lines(capsys)
    assert line.pop("timestamp")
    assert line == {"process": "api", "level": "info", "event": "ready", "port": 8080}


def test_what_other_packages_log_comes_without_arguments_and_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", process="worker")
    vendor = logging.getLogger("vendor")
    vendor.info("too quiet")
    vendor.warning("could not read %s", CANARY)
    try:
        raise ValueError(CANARY)
    except ValueError:
        vendor.exception("broke")
    shown = lines(capsys)
    assert CANARY not in json.dumps(shown)
    assert [line["event"] for line in shown] == ["vendor_log", "vendor_log"]
    assert shown[0]["template"] == "could not read %s"
    assert (shown[1]["error"], shown[1]["logger"]) == ("ValueError", "vendor")


def application(metrics: Metrics) -> RequestLog:
    app = FastAPI()
    install(app)
    app.add_middleware(UnexpectedErrors)

    @app.get("/things/{thing}")
    async def show(thing: str) -> dict[str, str]:
        if thing == "broken":
            raise RuntimeError(CANARY)
        return {}

    return RequestLog(app, metrics=metrics)


async def get(app: RequestLog, path: str, method: str = "GET") -> int:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        return (await http.request(method, path)).status_code


async def test_requests_are_counted_by_pattern_and_never_by_path(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", process="api")
    metrics = Metrics()
    app = application(metrics)
    assert await get(app, f"/things/{CANARY}?q={CANARY}") == 200
    assert await get(app, "/things/broken") == 500
    assert await get(app, f"/{CANARY}", method=CANARY.upper()) == 404
    text = metrics.text().decode()
    assert CANARY not in text + capsys.readouterr().err
    assert 'lastro_requests_total{method="GET",route="/things/{thing}",status="200"} 1.0' in text
    assert 'lastro_requests_total{method="GET",route="/things/{thing}",status="500"} 1.0' in text
    assert 'lastro_requests_total{method="other",route="unmatched",status="404"} 1.0' in text


async def test_what_is_not_http_is_not_counted() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None: ...

    async def nothing(*_: object) -> Message:
        return {}

    metrics = Metrics()
    await RequestLog(app, metrics=metrics)({"type": "lifespan"}, nothing, nothing)
    assert "lastro_requests_total{" not in metrics.text().decode()


def answer(refusal: Refusal | None) -> Answer:
    route = Route("local", "extractive", "")
    text = None if refusal else CANARY
    label = LabelScale().lowest
    return Answer(uuid4(), text, refusal, (), (), 0.9, label, route, Egress(), Cost(), {"search": 20.0, "total": 100.0})


def test_answers_and_refusals_are_counted_by_reason_and_timed_by_stage() -> None:
    metrics = Metrics()
    metrics.answered(answer(None))
    metrics.answered(answer(Refusal(RefusalReason.NOT_IN_DOCUMENTS, CANARY)))
    text = metrics.text().decode()
    assert CANARY not in text
    assert 'lastro_answers_total{place="local",reason="",status="answered"} 1.0' in text
    assert 'lastro_answers_total{place="local",reason="not_in_documents",status="refused"} 1.0' in text
    assert 'lastro_answer_stage_seconds_sum{stage="search"} 0.04' in text
