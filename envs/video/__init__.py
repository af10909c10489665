"""Films, contact sheets and drawings of rollouts."""
