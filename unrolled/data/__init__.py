"""Data for the chapters: generated from a seed or taken from Python itself, never downloaded."""
