"""What the README says in numbers, each measured again with one command: `python -m benchmarks.stream` is one."""
