"""What is random in a scene: factors with two ranges each, colours, textures."""
