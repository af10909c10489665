"""Scenes drawn and verified, their reference, labels, next turns, frozen suites."""
