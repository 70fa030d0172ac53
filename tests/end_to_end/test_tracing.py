"""Traces of the real service, as a collector receives them."""

import signal
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.waiting import GENEROUS_SECONDS, wait_until
from tests.web_server import serving

RunServer = Callable[..., Any]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ["receive", "check", "wait", "decode", "run", "text", "render"]
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}  # milliseconds


class Collector:
    """What an OpenTelemetry collector does with OTLP over HTTP: takes spans."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []

    def take(self, body: bytes) -> None:
        of_resources = ExportTraceServiceRequest.FromString(body).resource_spans
        self.resources += [attributes(of_resource.resource) for of_resource in of_resources]
        self.spans += [span for one in of_resources for scope in one.scope_spans for span in scope.spans]

    def wait_for_request(self, request_id: str) -> Span:
        """The span of a request, when it has come; those within it have ended before it, and so come no later."""

        def find() -> Span | None:
            ids = "http.response.header.x-request-id"
            return next((span for span in self.spans if attributes(span).get(ids) == [request_id]), None)

        return wait_until(find, lambda: f"no span of {request_id} among {len(self.spans)}")

    def within(self, parent: Span) -> list[Span]:
        return sorted(
            (span for span in self.spans if span.parent_span_id == parent.span_id),
            key=lambda span: span.start_time_unix_nano,
        )


def attributes(of: Any) -> dict[str, Any]:
    return {attribute.key: value_of(attribute) for attribute in of.attributes}


def value_of(attribute: KeyValue) -> Any:
    def plain(value: AnyValue) -> Any:
        kind = value.WhichOneof("value")
        if kind == "array_value":
            return [plain(item) for item in value.array_value.values]
        return None if kind is None else getattr(value, kind)

    return plain(attribute.value)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            made.take(body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Handler) as address:
        made = Collector(address)
        yield made


@pytest.fixture(scope="module")
def traced(run_module_server: RunServer, collector: Collector) -> tuple[str, Collector]:
    """The address of a service that sends its traces to the collector."""
    server = run_module_server(OTEL_EXPORTER_OTLP_ENDPOINT=collector.address, **SOON)
    return server.url, collector


def ask(traced: tuple[str, Collector], request_id: str, method: str, path: str, **options: Any) -> Span:
    """Send a request with an id and return its span."""
    url, collector = traced
    headers = {"X-Request-ID": request_id} | options.pop("headers", {})
    httpx.request(method, url + path, headers=headers, **options)
    return collector.wait_for_request(request_id)


def test_a_request_is_a_span_with_the_standard_attributes(
    traced: tuple[str, Collector], samples: dict[str, bytes]
) -> None:
    span = ask(traced, "read", "POST", "/predict", content=samples["ef2ec"])
    assert span.name == "POST /predict"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert not span.parent_span_id
    told = attributes(span)
    assert told["http.request.method"] == "POST"
    assert told["http.route"] == told["url.path"] == "/predict"
    assert told["http.response.status_code"] == 200
    assert told["url.scheme"] == "http"
    assert told["ocr.model"] == "captcha"
    assert told["ocr.images"] == 1


def test_its_stages_are_spans_within_it_that_follow_each_other(
    traced: tuple[str, Collector], samples: dict[str, bytes]
) -> None:
    span = ask(traced, "stages", "POST", "/predict", content=samples["ef2ec"])
    stages = traced[1].within(span)
    assert [stage.name for stage in stages] == STAGES
    assert {stage.trace_id for stage in stages} == {span.trace_id}
    ends = [span.start_time_unix_nano]
    for stage in stages:
        assert ends[-1] - 1_000_000 <= stage.start_time_unix_nano <= stage.end_time_unix_nano  # two clocks
        ends.append(stage.end_time_unix_nano)
    assert ends[-1] <= span.end_time_unix_nano + 1_000_000


def test_images_of_a_batch_share_the_stages_that_they_go_through_together(
    traced: tuple[str, Collector], samples: dict[str, bytes]
) -> None:
    files = [("files", image) for image in samples.values()] * 4
    span = ask(traced, "batch", "POST", "/predict/batch", files=files)
    assert attributes(span)["ocr.images"] == len(files)
    runs = [attributes(stage)["ocr.images"] for stage in traced[1].within(span) if stage.name == "run"]
    assert sum(runs) == len(files)
    assert len(runs) < len(files)


def test_the_span_belongs_to_the_trace_of_who_asks(traced: tuple[str, Collector], samples: dict[str, bytes]) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    span = ask(traced, "parent", "POST", "/predict", content=samples["ef2ec"], headers=headers)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert {stage.trace_id.hex() for stage in traced[1].within(span)} == {TRACE}


def test_who_asks_decides_whether_there_is_a_trace(traced: tuple[str, Collector], samples: dict[str, bytes]) -> None:
    url, collector = traced
    headers = {"traceparent": f"00-{TRACE[::-1]}-{PARENT}-00", "X-Request-ID": "not-sampled"}
    assert httpx.post(f"{url}/predict", content=samples["ef2ec"], headers=headers).status_code == 200
    ask(traced, "after-it", "GET", "/models")
    assert not any(span.trace_id.hex() == TRACE[::-1] for span in collector.spans)


def test_routes_are_named_by_their_template(traced: tuple[str, Collector]) -> None:
    assert ask(traced, "known", "GET", "/models/captcha").name == "GET /models/{name}"
    assert ask(traced, "nowhere", "GET", "/nowhere").name == "GET"


def test_what_the_sender_did_wrong_is_no_error_of_the_service(traced: tuple[str, Collector]) -> None:
    span = ask(traced, "wrong", "POST", "/predict", content=b"no image")
    assert attributes(span)["http.response.status_code"] == 415
    assert span.status.code == Status.STATUS_CODE_UNSET


def test_nothing_personal_is_in_it(traced: tuple[str, Collector], samples: dict[str, bytes]) -> None:
    form = {"file": ("secret.png", samples["ef2ec"])}
    headers = {"User-Agent": "secret", "X-API-Key": "secret", "Referer": "https://secret.example"}
    span = ask(traced, "private", "POST", "/predict?pattern=secret|ef2ec", files=form, headers=headers)
    shown = str([span, *traced[1].within(span)])
    assert "secret" not in shown
    assert "ef2ec" not in shown
    assert "client.address" not in shown
    assert attributes(span)["url.query"] == "REDACTED"


def test_probes_and_metrics_have_no_span(traced: tuple[str, Collector]) -> None:
    url, collector = traced
    for path in ("/livez", "/readyz", "/health", "/metrics"):
        assert httpx.get(url + path).status_code == 200
    ask(traced, "after-probes", "GET", "/models")
    paths = {attributes(span).get("url.path") for span in collector.spans}
    assert not paths & {"/livez", "/readyz", "/health", "/metrics"}


def test_the_service_names_itself_unless_told_another_name(
    run_server: RunServer, traced: tuple[str, Collector]
) -> None:
    collector = traced[1]
    ask(traced, "named", "GET", "/models")
    assert collector.resources[-1]["service.name"] == "captcha-reader"
    address = f"{collector.address}/v1/traces"
    other = run_server(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=address, OTEL_SERVICE_NAME="plates", **SOON)
    ask((other.url, collector), "renamed", "GET", "/models")
    assert "plates" in [resource["service.name"] for resource in collector.resources]


def test_the_last_spans_are_sent_before_the_service_ends(run_server: RunServer, traced: tuple[str, Collector]) -> None:
    server = run_server(OTEL_EXPORTER_OTLP_ENDPOINT=traced[1].address, OTEL_BSP_SCHEDULE_DELAY="60000")
    assert httpx.get(f"{server.url}/models", headers={"X-Request-ID": "last"}).status_code == 200
    assert server.stop(signal.SIGTERM) == 0
    traced[1].wait_for_request("last")


def test_the_service_does_not_wait_for_a_collector_that_is_not_there(
    run_server: RunServer, samples: dict[str, bytes]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for_ever = {"OTEL_EXPORTER_OTLP_TIMEOUT": str(10 * GENEROUS_SECONDS)}
        server = run_server(OTEL_EXPORTER_OTLP_ENDPOINT=address, **for_ever, **SOON)
        assert httpx.post(f"{server.url}/predict", content=samples["ef2ec"]).status_code == 200
        assert server.stop(signal.SIGTERM) == 0
