"""Names of colours, and what they look like: red, green and blue, 0..1.

Scenes draw from `COLOURS`, and from `HELD_OUT_COLOURS` where colours are held out. The
others are in no scene unless asked for (`make_scene(colours=...)`): a supervised start
sees more colours than scenes have, and none nearer than 0.2 to one held out.
"""

from __future__ import annotations

Colour = tuple[float, float, float]

COLOURS: dict[str, Colour] = {
    "red": (0.80, 0.10, 0.10),
    "green": (0.12, 0.58, 0.18),
    "blue": (0.12, 0.25, 0.80),
    "yellow": (0.92, 0.80, 0.12),
    "purple": (0.50, 0.15, 0.62),
    "white": (0.92, 0.92, 0.90),
}
HELD_OUT_COLOURS: dict[str, Colour] = {
    "orange": (0.95, 0.48, 0.08),
    "pink": (0.95, 0.50, 0.68),
    "cyan": (0.15, 0.75, 0.80),
    "black": (0.08, 0.08, 0.09),
}
OTHER_COLOURS: dict[str, Colour] = {
    "beige": (0.88, 0.80, 0.62),
    "brick": (0.63, 0.21, 0.14),
    "bronze": (0.66, 0.47, 0.02),
    "brown": (0.42, 0.24, 0.10),
    "cobalt": (0.03, 0.08, 0.60),
    "copper": (0.68, 0.38, 0.22),
    "coral": (0.94, 0.35, 0.34),
    "cream": (0.95, 0.95, 0.74),
    "crimson": (0.58, 0.03, 0.08),
    "denim": (0.23, 0.39, 0.55),
    "emerald": (0.05, 0.63, 0.36),
    "forest": (0.05, 0.32, 0.08),
    "gold": (0.80, 0.62, 0.10),
    "grape": (0.42, 0.20, 0.38),
    "gray": (0.50, 0.50, 0.50),
    "indigo": (0.24, 0.06, 0.48),
    "jade": (0.12, 0.65, 0.48),
    "khaki": (0.67, 0.65, 0.40),
    "lavender": (0.76, 0.64, 0.92),
    "lemon": (0.94, 0.94, 0.36),
    "lime": (0.55, 0.90, 0.10),
    "magenta": (0.85, 0.12, 0.75),
    "maroon": (0.42, 0.06, 0.12),
    "mauve": (0.66, 0.44, 0.52),
    "mint": (0.62, 0.92, 0.70),
    "moss": (0.40, 0.54, 0.28),
    "mustard": (0.80, 0.68, 0.05),
    "navy": (0.08, 0.10, 0.38),
    "ochre": (0.74, 0.56, 0.14),
    "olive": (0.45, 0.45, 0.10),
    "pear": (0.78, 0.92, 0.40),
    "peach": (0.95, 0.70, 0.52),
    "plum": (0.36, 0.08, 0.28),
    "rose": (0.80, 0.36, 0.46),
    "ruby": (0.78, 0.04, 0.30),
    "rust": (0.66, 0.26, 0.06),
    "sage": (0.53, 0.68, 0.46),
    "sand": (0.86, 0.78, 0.48),
    "sienna": (0.64, 0.34, 0.14),
    "silver": (0.74, 0.75, 0.77),
    "sky": (0.52, 0.76, 0.95),
    "slate": (0.34, 0.40, 0.46),
    "steel": (0.44, 0.54, 0.62),
    "tan": (0.80, 0.70, 0.46),
    "teal": (0.05, 0.42, 0.42),
    "violet": (0.60, 0.45, 0.88),
    "wine": (0.48, 0.02, 0.22),
}
PALETTE = COLOURS | HELD_OUT_COLOURS | OTHER_COLOURS
