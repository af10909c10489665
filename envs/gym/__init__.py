"""Scenes as Gymnasium environments."""
