-- What waits for a second administrator, and what became of it.

-- name: add
insert into sibling_proposals (id, kind, origin, asked, reason, state, proposed_by, proposed_at)
values (:id, :kind, :origin, :asked, :reason, 'proposed', :by, :now);

-- name: end_waiting
-- Whatever waits about the same is overtaken by what is said now.
update sibling_proposals set state = 'replaced', decided_by = :by, decided_at = :now
where kind = :kind and origin = :origin and state = 'proposed';

-- name: decide
update sibling_proposals set state = :state, decided_by = :by, decided_at = :now where id = :id and state = 'proposed';

-- name: get
select id, kind, origin, asked, reason, state, proposed_by, proposed_at from sibling_proposals where id = :id;

-- name: waiting
select id, kind, origin, asked, reason, state, proposed_by, proposed_at from sibling_proposals
where state = 'proposed' order by id;

-- name: last_change
-- The last that somebody ordered of this entry; what a sibling says of itself is nobody's order.
select act, by_whom, before, after from sibling_changes
where origin = :origin and act <> 'renew' order by id desc limit 1;
