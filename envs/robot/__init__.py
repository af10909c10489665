"""The arm: its shapes, limits and kinematics."""
