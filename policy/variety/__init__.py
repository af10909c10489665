"""Colours, ranges, frames, grounds and words that the library's scenes do not draw."""
