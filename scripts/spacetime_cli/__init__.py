"""What the commands in `scripts/` share: finding a host, setting one up, starting it and talking to it."""
