"""Controllers and networks that are written for PyMARL and its relatives, as the rest asks them."""
