"""What it costs: `make bench`. A figure is CPU seconds per 1,000 operations, beside a calibration loop of the same run.

Read in this order: __main__ (the options), scenes, delivering, recovering (what is measured), ground (an instance with
played siblings), letters (their signed requests), sink (their inboxes), process (the server and what it costs), floor (what
the server costs alone), report.
"""
