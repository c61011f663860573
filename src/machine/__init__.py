"""What this machine has: processes, memory, allocation, other nodes."""
