-- Pairings: instances that are being admitted, or were not.

-- fragment: columns_of_pairing
id, origin, name, direction, state, found, fingerprint, read_at, countries, proposed_by, proposed_at, confirmed_by,
    confirmed_at, there_at, wrong, owed, tries, next_at, last_code, reason, at, changed_at, expires_at

-- fragment: open_pairing
state in ('invited', 'requested', 'confirmed_here', 'confirmed_there')

-- name: get
select {{columns_of_pairing}} from pairings where id = :id;

-- name: open_of
select {{columns_of_pairing}} from pairings where origin = :origin and {{open_pairing}};

-- name: read_of
-- With whom administrators here are pairing, or have: its actor was read at its home.
select {{columns_of_pairing}} from pairings
where origin = :origin and read_at is not null and ({{open_pairing}} or state = 'active');

-- name: named
select {{columns_of_pairing}} from pairings where origin = :origin and name = :name;

-- name: latest_of
select {{columns_of_pairing}} from pairings where origin = :origin order by id desc limit 1;

-- name: open
select {{columns_of_pairing}} from pairings where {{open_pairing}} order by id desc;

-- name: over
-- Those that ended, and those that led to a sibling, the newest first.
select {{columns_of_pairing}} from pairings where not ({{open_pairing}}) order by changed_at desc, id desc limit :most;

-- name: owed
-- Nobody is kept waiting for more than a day: what is farther away was put off before the clock was set back.
select {{columns_of_pairing}} from pairings
where owed <> '' and (next_at <= :now or next_at > :now + 86460000) order by next_at, id limit :most;

-- name: add
insert into pairings (id, origin, name, direction, state, found, fingerprint, read_at, countries, there_at, owed, at,
    changed_at, expires_at)
values (:id, :origin, :name, :direction, :state, :found, :fingerprint, :read_at, :countries, :there_at, :owed, :now,
    :now, :expires_at)
on conflict do nothing;

-- name: put
update pairings set name = :name, state = :state, found = :found, fingerprint = :fingerprint, read_at = :read_at,
    countries = :countries, proposed_by = :proposed_by, proposed_at = :proposed_at, confirmed_by = :confirmed_by,
    confirmed_at = :confirmed_at, there_at = :there_at, wrong = :wrong, owed = :owed, tries = :tries,
    next_at = :next_at, last_code = :last_code, reason = :reason, changed_at = :now, expires_at = :expires_at
where id = :id;

-- name: end_all
-- Of an origin that leaves the allowlist; one that both sides have taken stays as it was.
update pairings set
    state = case when {{open_pairing}} or (state = 'active' and owed <> '') then 'withdrawn' else state end,
    reason = case when {{open_pairing}} or (state = 'active' and owed <> '') then :reason else reason end,
    owed = '', tries = 0, next_at = 0, last_code = '', changed_at = :now
where origin = :origin and ({{open_pairing}} or owed <> '');

-- name: last_decided
-- The last that was decided of the entry of this origin: neither a step of a pairing, nor what it says of itself.
select act, reason from sibling_changes
where origin = :origin and act <> 'renew' and act not like 'pairing%' order by id desc limit 1;

-- name: later
-- It was not taken; tried again, unless something else is to be said meanwhile.
update pairings set tries = tries + 1, next_at = :next_at, last_code = :code where id = :id and owed = :owed;

-- name: unread
-- Requests of whoever says to be somebody, the oldest first: the first to make room.
select id from pairings where read_at is null and direction = 'in' and {{open_pairing}} order by at, id;

-- name: drop
delete from pairings where id = :id;

-- name: due
select {{columns_of_pairing}} from pairings
where ({{open_pairing}} or (state = 'active' and owed = 'confirm')) and expires_at <= :now order by id;

-- name: unheard
-- It is over here, and for as long as anything is sent the other side has not taken that.
select {{columns_of_pairing}} from pairings
where owed in ('decline', 'withdraw') and changed_at <= :before order by id;

-- name: forget
-- What nobody here has looked into stays only for as long as it might come again.
delete from pairings where not ({{open_pairing}}) and owed = ''
  and (changed_at < :before or (read_at is null and reason = :over_there and changed_at < :unread_before));
