"""Lanes over the real table of deliveries."""
