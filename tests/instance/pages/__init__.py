"""Pages: what a doctor sees, and what nobody else does."""
