"""What has begun, noted by the worker's host where its broker keeps no trace of it."""
