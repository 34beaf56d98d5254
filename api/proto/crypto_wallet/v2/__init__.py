"""Version 2: everything that HTTP has, and a stream."""
