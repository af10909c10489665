"""Annotated images on disk: the formats of the field, read lazily and written.

Workers load this package: it must not import torch.
"""
