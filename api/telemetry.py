"""Figures for Prometheus and a log line for each request: ids, counts, times; never text or paths."""

import time

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import route_of
from serving.model import Answer

log = structlog.get_logger()

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})


class Metrics:
    """The figures of one process; no label ever holds text."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lastro_requests_total", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "lastro_request_seconds", "Time to the last byte", ["route"], buckets=SECONDS, registry=self.registry
        )
        self.running = Gauge("lastro_requests_running", "Requests being answered", registry=self.registry)
        self.answers = Counter(
            "lastro_answers_total", "Answers and refusals", ["status", "reason", "place"], registry=self.registry
        )
        self.stages = Histogram(
            "lastro_answer_stage_seconds", "Time by stage", ["stage"], buckets=SECONDS, registry=self.registry
        )
        self.documents = Counter("lastro_documents_accepted_total", "Documents handed in", registry=self.registry)

    def answered(self, answer: Answer) -> None:
        """Count an answer and its stages."""
        reason = answer.refusal.reason.value if answer.refusal else ""
        self.answers.labels(answer.status, reason, answer.route.place).inc()
        for stage, milliseconds in answer.timings_ms.items():
            self.stages.labels(stage).observe(milliseconds / 1000)

    def text(self) -> bytes:
        """In Prometheus' own format."""
        return generate_latest(self.registry)


class RequestLog:
    """Counts, times and logs each request by its route's pattern."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and look at the clock and the status."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 0
        begun = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            self.note(scope, status, time.perf_counter() - begun)

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """One request, over."""
        route = route_of(scope)
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        caller = scope.get("state", {}).get("caller")
        key = str(caller.key_id) if caller else None
        log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1), key=key)
