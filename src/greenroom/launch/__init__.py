"""Bot processes on this machine: a supervisor with its own lifetime, and zygotes that fork."""
