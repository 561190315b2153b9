"""The rehearsed private network: one host's containers reach of another what the policy says, and nothing else."""
