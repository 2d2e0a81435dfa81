-- name: mark_read
update notifications set read_at = :now where doctor = :doctor and read_at is null;
