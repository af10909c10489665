"""Scenes and rewards for those who train elsewhere: TRL, verl, OpenEnv clients.

The rewards need nothing of graspo[train]: this folder must not import torch.
"""
