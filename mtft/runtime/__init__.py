"""What a process runs on: devices, memory, other processes, random numbers."""
