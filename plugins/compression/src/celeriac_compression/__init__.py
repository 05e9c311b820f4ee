"""Compressors: zstd and brotli."""
