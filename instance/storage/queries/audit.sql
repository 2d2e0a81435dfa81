-- The audit log: rows are added and read, never changed; a month of them is deleted when its time has come.

-- name: last
-- The last entry, or the last part that is gone where nothing follows it.
select n, hash from (
    select * from (select n, hash from audit order by n desc limit 1) as entries
    union all
    select * from (
        select last as n, head as hash from audit_segments where gone <> '' order by first desc limit 1
    ) as parts
) as both_ends order by n desc limit 1;

-- name: add
insert into audit (n, entry, hash, dossier) values (:n, :entry, :hash, :dossier);

-- name: page
select n, entry, hash from audit where n > :after order by n limit :most;

-- name: of_dossier
select n, entry from audit where dossier = :dossier order by n;

-- name: head
select n, hash from audit where n = :n
union all
select last as n, head as hash from audit_segments where last = :n and gone <> '';

-- name: segments
select first, last, month, before, head, gone, told from audit_segments order by first;

-- name: last_segment
select first, last, month, before, head, gone, told from audit_segments order by first desc limit 1;

-- name: oldest_kept_segment
select first, last, month, before, head, gone, told from audit_segments where gone = '' order by first limit 1;

-- name: add_segment
insert into audit_segments (first, last, month, before, head, gone) values (:first, :last, :month, :before, :head, :gone);

-- name: segment_gone
update audit_segments set gone = 'destroyed', told = :told where first = :first and gone = '';

-- name: told_of_segment
update audit_segments set told = :told where first = :first;

-- name: destroy
delete from audit where n >= :first and n <= :last;

-- name: known_head
select issuer, sequence, hash, signed_at, alarm, document from audit_heads where issuer = :issuer;

-- name: known_heads
select issuer, sequence, hash, signed_at, received_at, alarm from audit_heads order by issuer;

-- name: keep_head
insert into audit_heads (issuer, sequence, hash, signed_at, received_at, document)
values (:issuer, :sequence, :hash, :signed_at, :received_at, :document)
on conflict (issuer) do update set sequence = excluded.sequence, hash = excluded.hash,
    signed_at = excluded.signed_at, received_at = excluded.received_at, document = excluded.document;

-- name: raise_alarm
update audit_heads set alarm = :alarm where issuer = :issuer;
