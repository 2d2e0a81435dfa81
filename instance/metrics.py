"""What can be counted about one instance: Prometheus series without names, ids or free text."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from instance.figures import FIGURES, PREFIX, Figure, Values


class Metrics:
    """One registry per instance, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._gauges = {figure.name: self._gauge(figure) for figure in FIGURES}
        #: These change between two readings, and say so at once.
        self.wal, self.evidence_open = self._gauges["wal_bytes"], self._gauges["evidence_vault_open"]
        self.audit_holds, self.signing = self._gauges["audit_log_holds"], self._gauges["signing"]
        self.skew = self._gauges["clock_skew_seconds"]
        self.log_gaps, self.log_doubts = self._gauges["log_gaps"], self._gauges["log_doubts"]
        self.audit_holds.set(1)
        self.allowlist_version = Gauge("esanum_allowlist_version", "Version in force", registry=self.registry)
        self.received = self._counter("received", "Activities kept, by type", "type", "outcome")
        self.refused = self._counter("refused", "Requests refused, by code", "code")
        self.applied = self._counter("applied", "Kept activities worked off", "outcome")
        self.delivered = self._counter("delivered", "Deliveries settled", "outcome")
        self.scans = self._counter("scans", "Files looked at for malware, by outcome", "outcome")
        self.log_pulls = self._counter("log_pulls", "Times a sibling's log was read, by outcome", "outcome")
        self.log_entries = self._counter("log_entries", "Entries of siblings' logs taken in, by outcome", "outcome")
        self.followers_mended = self._counter("followers_mended", "Follows on which two ends did not agree")

    def _gauge(self, figure: Figure) -> Gauge:
        labels = [figure.label] if figure.label else []
        return Gauge(PREFIX + figure.name, figure.help, labels, registry=self.registry)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, help, labels, registry=self.registry)

    def take(self, values: Values) -> None:
        """Show these figures, and nothing of what was shown of them before."""
        for figure in FIGURES:
            gauge = self._gauges[figure.name]
            if not figure.label:
                gauge.set(values.get((figure.name, ""), math.nan))
                continue
            gauge.clear()
            for (name, value), number in values.items():
                if name == figure.name:
                    gauge.labels(value).set(number)

    def render(self) -> bytes:
        """Return all series in the text format."""
        return generate_latest(self.registry)
