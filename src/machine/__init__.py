"""What this machine has: processes, memory, allocation, where time goes, other nodes."""
