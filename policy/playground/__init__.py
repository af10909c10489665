"""A local page and a JSON interface to try scenes, answers and policies."""
