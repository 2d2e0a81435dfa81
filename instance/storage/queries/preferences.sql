-- name: set_approval
update doctors set approves_followers = :approves where uri = :doctor and local = 1;

-- name: mark_read
update notifications set read_at = :now where doctor = :doctor and read_at is null;
