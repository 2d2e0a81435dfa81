"""What it costs: `make bench`. A figure is CPU seconds per 1,000 operations, beside a calibration loop of the same run."""
