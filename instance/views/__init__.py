"""What pages show: each view is one query and one frozen row type. Views decide nothing and change nothing."""
