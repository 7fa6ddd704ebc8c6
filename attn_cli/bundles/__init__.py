"""Models on disk: their files, their integrity and the registry."""
