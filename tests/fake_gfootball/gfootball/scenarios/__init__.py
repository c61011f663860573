"""Only the names of these modules count."""
