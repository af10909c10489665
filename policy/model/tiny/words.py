"""The common words that are single tokens of the default policy's tokenizer."""

from __future__ import annotations

from envs.randomization.colours import PALETTE

_LIST = """
a about above across after again against all along also an and any around as at away
back be before behind below beside between both bottom but by can center centre
clear close closed corner do does down each edge end far fast few find first firmly
for forward from front gently go goes going half hand hard have here high higher
hold holding horizontal how i if in inside into is it its keep last left less level
lies like long low lower middle move must near nearest next no not nothing now of
off on one onto only open or other out over part past path point position right
rim round same second should shut side sits slide slowly small so some stand stands
start still straight task that the their them then there these thing third this
those through to together top toward towards turn two under until up upright
upward upwards use vertical way what when where which while will with without you
your
above air area bring carefully carry clean collect drag drop fetch get give grab
grasp grip hang insert lay leave let lift lifted make pick picking place pour press
pull push put raise reach release remove rotate set stack store sweep swing take
tilt tip touch twist want please could would need needs just
aim answer box contact finger fingers goal grasped gripper held motion robot arm
affordance trajectory waypoint waypoints think user assistant system image object
objects target targets distractor table scene surface ground floor
ball bar basket bin block book bottle bowl bread brush bucket button cabinet can
cap cloth container cover cube cup cylinder desk disc dish door drawer fork glass
hammer handle handles hinge hook hoop jar kettle key knife knob lever lid line mat
mug mugs opener pan peg pen pile pin pipe plate plug pot puck rack ring rod rope
sauce shelf slot spatula spoon sponge square stick strip switch tool toy tower tray
triangle wall wheel
belongs body clip crumb crumbs corner cut drops fold gather hammer heap ladle loaf
nail peg plank pound saw scoop scraper scrape slide socket stove stroke tag turner wrap
board nails bowls basin blade head gently zone
colour color coloured colored dark golden grey light pale turquoise
big large little narrow short shortest tall tallest thick thin wide empty full heavy
new old
one two three four five six seven eight nine ten
"""

WORDS = (*_LIST.split(), *PALETTE)
