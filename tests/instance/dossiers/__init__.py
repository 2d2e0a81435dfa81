"""Dossiers: rows, use cases, the calendar, the audit log, registers."""
