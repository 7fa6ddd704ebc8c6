"""Models on disk: their files, their checksums and the registry."""
