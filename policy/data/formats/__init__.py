"""Layouts of published sets, a file each: how one is read, and how one is written."""
