"""A stand-in with the face of gfootball 2.10.2: its calls, shapes and types, not its football."""
