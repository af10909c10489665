"""Supervised warm start of the default policy, from random weights or where it is."""
