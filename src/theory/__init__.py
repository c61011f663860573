"""Games whose gradients are exact: what K levels do when nothing is estimated."""
