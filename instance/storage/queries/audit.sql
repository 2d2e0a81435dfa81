-- The audit log: rows are added and read, never changed.

-- name: last
select n, hash from audit order by n desc limit 1;

-- name: add
insert into audit (n, entry, hash, dossier) values (:n, :entry, :hash, :dossier);

-- name: page
select n, entry, hash from audit where n > :after order by n limit :most;

-- name: of_dossier
select n, entry from audit where dossier = :dossier order by n;

-- name: head
select n, hash from audit where n = :n;

-- name: known_head
select issuer, sequence, hash, signed_at, alarm from audit_heads where issuer = :issuer;

-- name: known_heads
select issuer, sequence, hash, signed_at, received_at, alarm from audit_heads order by issuer;

-- name: keep_head
insert into audit_heads (issuer, sequence, hash, signed_at, received_at)
values (:issuer, :sequence, :hash, :signed_at, :received_at)
on conflict (issuer) do update set sequence = excluded.sequence, hash = excluded.hash,
    signed_at = excluded.signed_at, received_at = excluded.received_at;

-- name: raise_alarm
update audit_heads set alarm = :alarm where issuer = :issuer;
