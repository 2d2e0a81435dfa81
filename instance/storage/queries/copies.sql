-- The copy ledger: which sibling was sent which object, and when it said that it had it.

-- name: add
insert into copies (object, origin, sent_at) values (:object, :origin, :at)
on conflict (object, origin) do nothing;

-- name: delivered
update copies set delivered_at = coalesce(delivered_at, :now) where object = :object and origin = :origin;

-- name: holders
-- Where a withdrawal has to go, with the shared inbox as the allowlist knows it.
select c.origin, s.inbox from copies c join siblings s on s.origin = c.origin
where c.object = :object order by c.origin;
