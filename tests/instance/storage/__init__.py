"""Tests of the SQLite engine alone: one process, group commit, faults."""
