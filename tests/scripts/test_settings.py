"""Settings begin with what the commands have."""

from dataclasses import asdict

import pytest
from commands import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from policy.grpo.config import GRPOConfig
from policy.rollout.config import RolloutConfig
from policy.sft.settings import SFTConfig


@pytest.mark.parametrize(
    ("record", "command", "part"),
    [
        (GRPOConfig, "train", "algo"),
        (RolloutConfig, "train", "rollout"),
        (SFTConfig, "warmstart", "sft"),
    ],
)
def test_a_setting_that_is_not_named_is_that_of_the_command(record, command, part):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(command)
    usual = OmegaConf.to_container(config[part], resolve=True)
    assert isinstance(usual, dict)
    if "bf16" in usual:  # the command chooses
        assert usual.pop("bf16") == "auto"
        usual["bf16"] = False
    assert asdict(record()) == usual
