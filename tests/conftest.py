"""Surroundings of every test: a GL backend, few threads, no network, fixed seeds."""

import os

# Read by libraries when they load, so set before the first of them is imported.
os.environ["OMP_NUM_THREADS"] = "1"  # pytest-xdist already uses every core
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that downloads is wrong

import random

import numpy as np
import pytest
import torch
from hypothesis import settings

from envs.cameras.gl import ensure_gl

ensure_gl()
# Shared machines stall; a slow example is no failure, and no two runs differ.
settings.register_profile("graspo", deadline=None, derandomize=True)
settings.load_profile("graspo")


@pytest.fixture(autouse=True)
def _fixed_seeds():
    """What a test forgets to seed is at least the same in every run."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  (the state that others may read)
    torch.manual_seed(0)
