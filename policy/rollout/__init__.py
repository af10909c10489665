"""Experience: where scenes come from, who simulates, what answers earn.

Worker processes import this package, so it must not import torch.
"""
