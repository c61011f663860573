"""What many runs say together: reading them, statistics with intervals, tables, figures, a page."""
