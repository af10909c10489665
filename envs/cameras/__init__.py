"""Where cameras stand, what they see, and the OpenGL that draws it."""
