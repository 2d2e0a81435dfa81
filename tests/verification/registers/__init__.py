"""Tests of what the medical room knows of registers."""
