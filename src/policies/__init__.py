"""What agents do: policies act, draw actions and evaluate them, for all who run or learn."""
