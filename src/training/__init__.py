"""What a run consists of besides its loop: parts, their state, tests and last words."""
