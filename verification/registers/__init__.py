"""Registers of doctors: the numbers they give, and the files they publish.

Read in this order: numbers (one table of identifiers per country), imports (a register's file as a stream of entries).
A number and a match are for a reviewer's eyes: neither is evidence by itself, since registers are public.
"""
