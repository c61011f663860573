"""A scenario."""
