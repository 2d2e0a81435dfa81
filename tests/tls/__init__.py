"""Two instances that reach each other by https alone."""
