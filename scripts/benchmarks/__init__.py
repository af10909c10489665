"""What `scripts/bench.py` measures: one file a part, each a function to figures.

    step.py        stages of a whole GRPO step
    beside_trl.py  beside TRL's GRPOTrainer
    plain.py       beside the plain path: image and prompt again for every answer
    growth.py      cost against the number of answers
    bound.py       above the bare matrix products of the same sizes
    scale.py       simulation over more workers, Ray's workers and a second node
    simulator.py   scenes, execution and images above bare physics and rendering

`workload.py` has what they share, `trl_turns.py` TRL's trainer, `stopwatch.py` the
seconds, `figures.py` the results.
"""
