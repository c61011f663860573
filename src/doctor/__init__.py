"""Is this machine ready for a run?"""
