"""A live web page of running and finished runs: `python src/main.py dashboard`."""
