"""Writing files that are never half there, and locking folders."""
