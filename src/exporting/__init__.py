"""`python src/main.py export`: what a run learned, as files for programs without PyMARL-K."""
