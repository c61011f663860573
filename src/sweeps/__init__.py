"""`python src/sweep.py`: many runs of main.py, on one machine or on a Ray cluster."""
