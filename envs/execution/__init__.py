"""From plans to outcomes: unprojection, grasp, motion, physics."""
