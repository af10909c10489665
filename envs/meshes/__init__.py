"""Meshes that others drew: where they are, in fewer triangles, over the arm."""
