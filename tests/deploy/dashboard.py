"""The dashboard of `deploy/grafana`."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILE = Path("deploy") / "grafana" / "dashboards" / "captcha-reader.json"
METRIC = re.compile(r"\b(?:ocr|process)_[a-z_]+\b")


def read_dashboard(repository: Path) -> dict[str, Any]:
    """The whole document."""
    document: dict[str, Any] = json.loads((repository / FILE).read_text(encoding="utf-8"))
    return document


def expressions(repository: Path) -> list[str]:
    """All that its panels ask of Prometheus, as Grafana sends it for all instances."""
    targets = [target for panel in read_dashboard(repository)["panels"] for target in panel["targets"]]
    return [target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*") for target in targets]


def metrics_named_in(queries: Iterable[str]) -> set[str]:
    """The service's metrics that queries are about."""
    return {name for query in queries for name in METRIC.findall(query)}
