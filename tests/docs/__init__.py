"""The documents cannot lie: what they name exists, what exists is named."""
