"""The product on PostgreSQL: the story, a full exchange, and several processes on one database."""
