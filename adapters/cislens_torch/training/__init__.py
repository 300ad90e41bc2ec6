"""Train torch networks: the loop, what survives a kill, and the checkpoint that cislens opens again."""
