"""Graphs that run without torch: tracing, parity and quantization."""
