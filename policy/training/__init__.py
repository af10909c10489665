"""A run: its job, its directory, its checkpoints and the loop."""
