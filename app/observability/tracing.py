"""OpenTelemetry traces, sent if the environment names an endpoint.

FastAPI creates a span per request, with the attributes of the semantic conventions, the route template and the parent
from `traceparent`. External instrumentation packages have broken on its routers. This module adds the exporter and a
child span for each stage.
"""

import os
import time
from collections.abc import Set
from threading import Thread
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync
from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.logs import get_logger
from app.observability.metrics import Work
from app.shared.extras import how_to_add

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Standard variables; the SDK reads others for headers, sampling, batches and so on."""
SERVICE_NAME = "captcha-reader"
FLUSH_SECONDS = 5

log = get_logger("app")


def make_tracer_provider() -> "TracerProvider | None":
    """Return a provider that exports spans to the environment's endpoint in its own thread; None without an endpoint.

    If OpenTelemetry's SDK is not installed, log a warning and return None.
    """
    variable = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if variable is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        add = how_to_add("tracing", "python -m pip install --requirement requirements/tracing.txt")
        log.warning(f"no traces: OpenTelemetry is not installed; {add}", variable=variable)
        return None
    resource = Resource({"service.name": SERVICE_NAME}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


async def send_last_spans(provider: "TracerProvider") -> None:
    """Export the remaining spans, for at most `FLUSH_SECONDS`, and stop."""
    shutdown = Thread(target=provider.shutdown, daemon=True)  # the process does not wait for a daemon thread
    shutdown.start()
    await run_sync(shutdown.join, FLUSH_SECONDS)


def telemetry_config(provider: "TracerProvider | None", untraced: Set[str]) -> TelemetryConfig:
    """Return FastAPI's telemetry options: traces except for the untraced paths; metrics and logs are our own."""
    return {
        "tracing": provider is not None,
        "tracer_provider": provider,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: scope.get("path") in untraced,
    }


class StageSpansMiddleware:
    """Middleware that adds the request id, the model and a child span per stage to the span of a request."""

    def __init__(self, app: ASGIApp, tracer: trace.Tracer) -> None:
        self.app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        span = trace.get_current_span()
        if not span.is_recording():
            await self.app(scope, receive, send)
            return
        if scope["query_string"]:
            span.set_attribute("url.query", "REDACTED")  # a pattern or lexicon may be private

        async def describe_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":  # FastAPI ends the span with the response
                state = scope["state"]
                span.set_attribute("http.response.header.x-request-id", [state["request_id"]])
                if "work" in state:
                    self._describe(span, state["work"])
            await send(message)

        await self.app(scope, receive, describe_and_send)

    def _describe(self, span: trace.Span, work: Work) -> None:
        span.set_attributes({"ocr.model": work.model, "ocr.model.version": work.version, "ocr.images": work.images})
        since_epoch = time.time_ns() - time.perf_counter_ns()
        for stage, began, ended, images in work.watch.stages:
            child = self._tracer.start_span(
                stage, attributes={"ocr.images": images}, start_time=since_epoch + int(began * 1e9)
            )
            child.end(since_epoch + int(ended * 1e9))
