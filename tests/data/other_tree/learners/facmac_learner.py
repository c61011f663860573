"""What that tree compares K-FACMAC with; the copy must leave it alone."""


class FACMACLearner:
    """Its own."""
