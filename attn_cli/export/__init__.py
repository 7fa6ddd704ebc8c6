"""Graphs for ONNX Runtime: tracing, quantization, parity with torch, and writing."""
