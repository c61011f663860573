"""Looking at runs: their curves, and episodes of what they learned."""
