"""Held-out measurement: figures with intervals, tables, scripted policies."""
