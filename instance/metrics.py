"""What can be counted about one instance: Prometheus series without names, ids or free text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector


class Metrics:
    """One registry per instance, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.received = Counter(
            "esanum_received", "Activities kept, by type", ["type", "outcome"], registry=self.registry
        )
        self.refused = Counter("esanum_refused", "Requests refused, by code", ["code"], registry=self.registry)
        self.applied = Counter("esanum_applied", "Kept activities worked off", ["outcome"], registry=self.registry)
        self.delivered = Counter("esanum_delivered", "Deliveries settled", ["outcome"], registry=self.registry)
        self.queue = Gauge("esanum_deliveries", "Deliveries by state", ["state"], registry=self.registry)
        self.waiting = Gauge("esanum_inbound_waiting", "Kept activities not yet worked off", registry=self.registry)
        self.siblings = Gauge("esanum_siblings", "Siblings by policy", ["policy"], registry=self.registry)
        self.allowlist_version = Gauge("esanum_allowlist_version", "Version in force", registry=self.registry)
        self.wal = Gauge("esanum_wal_bytes", "Size of SQLite's write-ahead log", registry=self.registry)
        self.evidence_open = Gauge(
            "esanum_evidence_vault_open", "1 while evidence can be taken and shown", registry=self.registry
        )
        self.audit_holds = Gauge(
            "esanum_audit_log_holds", "1 while every entry of the audit log is what it was", registry=self.registry
        )
        self.audit_holds.set(1)
        self.signing = Gauge(
            "esanum_signing", "1 while credentials and status lists are signed", registry=self.registry
        )
        self.scans = Counter(
            "esanum_scans", "Files looked at for malware, by outcome", ["outcome"], registry=self.registry
        )
        self._count_siblings()
        self.late = Gauge(
            "esanum_late_seconds", "How late the process is, on average of ten seconds", registry=self.registry
        )
        self.skew = Gauge(
            "esanum_clock_skew_seconds", "Farthest clock of a sibling, beyond a minute", registry=self.registry
        )
        self.pages = Histogram(
            "esanum_page_seconds", "Time to answer a page", ["status"], registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
        )  # fmt: skip

    def _count_siblings(self) -> None:
        """What is counted of siblings beside messages: their keys, the list they stand on, their logs."""
        self.key_alarms = Gauge(
            "esanum_sibling_key_alarms", "Siblings suspended since their keys have changed", registry=self.registry
        )
        self.list_seconds = Gauge(
            "esanum_federation_list_seconds", "Until the federation list runs out; 0 without one, negative beyond",
            registry=self.registry,
        )  # fmt: skip
        self.list_alarm = Gauge(
            "esanum_federation_list_alarm", "1 beside why the last list was not adopted or read", ["code"],
            registry=self.registry,
        )  # fmt: skip
        self.list_siblings = Gauge(
            "esanum_federation_list_siblings", "Siblings by the federation list they hold, seen from ours", ["holds"],
            registry=self.registry,
        )  # fmt: skip
        self.log_gaps = Gauge(
            "esanum_log_gaps", "Siblings in whose log something is missing here", registry=self.registry
        )
        self.log_doubts = Gauge(
            "esanum_log_doubts", "Siblings that say they heard more of our log than we know, and prove none of it",
            registry=self.registry,
        )  # fmt: skip
        self.log_pulls = Counter(
            "esanum_log_pulls", "Times a sibling's log was read, by outcome", ["outcome"], registry=self.registry
        )
        self.log_entries = Counter(
            "esanum_log_entries", "Entries of siblings' logs taken in, by outcome", ["outcome"], registry=self.registry
        )
        self.followers_mended = Counter(
            "esanum_followers_mended", "Follows on which two ends did not agree", registry=self.registry
        )

    def render(self) -> bytes:
        """Return all series in the text format."""
        return generate_latest(self.registry)
