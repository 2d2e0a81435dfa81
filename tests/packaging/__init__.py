"""What is installed is what was written: the wheel runs from anywhere."""
