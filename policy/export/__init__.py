"""Data out: executed answers and annotated images in the formats of other programs."""
