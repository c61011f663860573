"""Where environments live: in this process (`in_process`) or each in its own (`workers`)."""
