"""Version 1: what clients of 1.0.8 speak."""
