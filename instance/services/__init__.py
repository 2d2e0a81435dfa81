"""What people and siblings can make this instance do; each service owns its transactions."""
