"""Tests of the instance: storage, services, pages, command line."""
