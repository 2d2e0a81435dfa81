"""Processes killed, stopped and cut off on purpose: what was acknowledged is there, once."""
