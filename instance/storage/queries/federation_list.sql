-- Federation lists: those adopted, how the reading of them stands, and the entries that come of them.

-- name: newest
select sequence, hash, body, judged_by, signers, anchor, source, adopted_at from federation_lists
order by sequence desc limit 1;

-- name: at
select sequence, hash, body, adopted_at from federation_lists where sequence = :sequence;

-- name: before
select sequence, hash, body, adopted_at from federation_lists where sequence < :sequence
order by sequence desc limit 1;

-- name: asked_holders
select origin, asked_at from sibling_federation_lists;

-- name: ask_holder
-- Of several processes the first asks for all, whatever was asked before the clock was set back.
insert into sibling_federation_lists (origin, asked_at) values (:origin, :now)
on conflict (origin) do update set asked_at = excluded.asked_at
where sibling_federation_lists.asked_at <= :before or sibling_federation_lists.asked_at > :now + 60000;

-- name: holder_shows
insert into sibling_federation_lists (origin, asked_at, sequence, hash, signed, shown_at)
values (:origin, :now, :sequence, :hash, :signed, :now)
on conflict (origin) do update set asked_at = excluded.asked_at, sequence = excluded.sequence, hash = excluded.hash,
    signed = excluded.signed, shown_at = excluded.shown_at, code = '';

-- name: holder_shows_the_same
update sibling_federation_lists set asked_at = :now, shown_at = :now, code = ''
where origin = :origin and sequence > 0;

-- name: holder_fails
update sibling_federation_lists set asked_at = :now, code = :code where origin = :origin;

-- name: holders
-- Each entry with the list it has shown; without one where it was not asked yet.
select s.origin, s.name, h.sequence, h.hash, h.signed, h.shown_at, h.code
from siblings s left join sibling_federation_lists h on h.origin = s.origin order by s.origin;

-- name: forget_holder
delete from sibling_federation_lists where origin = :origin;

-- name: record
-- What a list has changed here, each line as it was written when it was adopted.
select id, origin, act, by_whom, reason, before, after, touched, at from sibling_changes
where act = 'list' and reason = :reason order by origin, id;

-- name: put
-- The same list under another pinned set takes the place of its row; what it says is the same.
insert into federation_lists (sequence, hash, body, judged_by, signers, anchor, source, adopted_at)
values (:sequence, :hash, :body, :judged_by, :signers, :anchor, :source, :now)
on conflict (sequence) do update set body = excluded.body, judged_by = excluded.judged_by, signers = excluded.signers,
    anchor = excluded.anchor, source = excluded.source, adopted_at = excluded.adopted_at
where federation_lists.hash = excluded.hash;

-- name: state
select tried_at, succeeded_at, etag, code, code_source, announced_by, warned_sequence, warned_days
from federation_list_state where id = 1;

-- name: begin
-- Of several processes the first that is due reads for all. What was announced stands until it has been read. What was
-- tried a minute from now or later was tried before the clock was set back.
update federation_list_state set tried_at = :now
where id = 1 and (tried_at is null or tried_at <= :before or tried_at > :now + 60000
    or announced_by = :announced_by and announced_by != '');

-- name: end
update federation_list_state set succeeded_at = coalesce(:succeeded_at, succeeded_at), etag = :etag, code = :code,
    code_source = :code_source, announced_by = case when announced_by = :announced_by then '' else announced_by end
where id = 1;

-- name: announce
update federation_list_state set announced_by = :origin where id = 1;

-- name: warn
update federation_list_state set warned_sequence = :sequence, warned_days = :days
where id = 1 and (warned_sequence != :sequence or warned_days > :days);

-- name: listed_entries
select origin, source, may_issue_for from siblings;

-- name: add_entry
insert into siblings (origin, actor, name, country, inbox, outbox, policy, source, vouched_by, instance_keys,
    issuer_keys, may_issue_for, kinds_in, kinds_out, speaks_rfc9421, contact, software, since)
values (:origin, :actor, :name, :country, :inbox, :outbox, 'inherit', 'list', :vouched_by, :instance_keys,
    :issuer_keys, :may_issue_for, :kinds_in, :kinds_out, :speaks_rfc9421, :contact, :software, :since)
on conflict do nothing;

-- name: set_entry
-- A member of which the list names no key keeps the pins it had: an entry without any could not be read.
update siblings set instance_keys = case when :instance_keys = '[]' then instance_keys else :instance_keys end,
    issuer_keys = :issuer_keys, may_issue_for = :may_issue_for
where origin = :origin and source = 'list';

-- name: held_origins
-- What waits for the set of another waits for no list.
select distinct origin from deliveries where state = 'held' and last_code <> 'sibling_set_unknown';
