"""The door for parts written for PyMARL: adapted once, when a run is built, or refused."""
