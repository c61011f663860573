"""What agents do: policies act, draw, evaluate and say, for runners, learners and levels."""
