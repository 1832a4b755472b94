"""What `make bench` measures: speed and memory, as ratios taken side by side in one run."""
