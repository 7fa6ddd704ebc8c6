"""Running networks: engines, beam search, translation and forced alignment."""
