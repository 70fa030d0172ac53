"""OpenTelemetry traces, where the environment names an endpoint for them.

FastAPI itself makes a span of each request, with the attributes of the semantic conventions, the template of the route
and the parent that `traceparent` names; packages that instrument it from outside have broken on its routers. Added here
are where the spans go, and the stages within them.
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

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Standard variables; others, of the SDK, choose headers, sampling, batches and the like."""
SERVICE_NAME = "captcha-reader"
FLUSH_SECONDS = 5

log = get_logger("app")


def make_tracer_provider() -> "TracerProvider | None":
    """Return what sends spans to the endpoint of the environment, in a thread of its own; None without an endpoint.

    Where OpenTelemetry's SDK is not installed, that is logged, and there are no traces.
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
        log.warning("no traces: OpenTelemetry is not installed; requirements/tracing.txt has it", variable=variable)
        return None
    resource = Resource({"service.name": SERVICE_NAME}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


async def send_last_spans(provider: "TracerProvider") -> None:
    """Send what has not been sent yet, if it can be within some seconds, and stop."""
    shutdown = Thread(target=provider.shutdown, daemon=True)  # the process does not wait for such a thread
    shutdown.start()
    await run_sync(shutdown.join, FLUSH_SECONDS)


def telemetry_config(provider: "TracerProvider | None", untraced: Set[str]) -> TelemetryConfig:
    """Return what FastAPI is to do: traces, but for some paths, or nothing, since metrics and log are our own."""
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
    """Tells the span of a request its id and what was read, and gives it a child for each stage of that."""

    def __init__(self, app: ASGIApp, tracer: trace.Tracer) -> None:
        self.app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        span = trace.get_current_span()
        if not span.is_recording():
            await self.app(scope, receive, send)
            return
        if scope["query_string"]:
            span.set_attribute("url.query", "REDACTED")  # it may say what is looked for

        async def describe_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":  # after its end, FastAPI's span takes nothing any more
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
