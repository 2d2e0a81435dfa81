-- The allowlist, its record of changes, and what a change touches.

-- name: version
select value from versions where name = 'allowlist';

-- name: all
select origin, actor, name, country, inbox, outbox, policy, source, vouched_by, instance_keys, issuer_keys,
    may_issue_for, kinds_in, kinds_out, speaks_rfc9421, contact, software, since, note
from siblings order by origin;

-- name: get
select origin, actor, name, country, inbox, outbox, policy, source, vouched_by, instance_keys, issuer_keys,
    may_issue_for, kinds_in, kinds_out, speaks_rfc9421, contact, software, since, note
from siblings where origin = :origin;

-- name: overview
select s.origin, s.name, s.country, s.policy, s.since, c.last_in_at, c.last_out_at,
    (select count(*) from deliveries d
        where d.origin = s.origin and d.state in ('waiting', 'resting', 'held')) as waiting
from siblings s left join sibling_contacts c on c.origin = s.origin
order by s.origin;

-- name: add
insert into siblings (origin, actor, name, country, inbox, outbox, policy, source, instance_keys, issuer_keys,
    may_issue_for, kinds_in, kinds_out, speaks_rfc9421, contact, software, since)
values (:origin, :actor, :name, :country, :inbox, :outbox, 'inherit', 'local', :instance_keys, :issuer_keys,
    :may_issue_for, :kinds_in, :kinds_out, :speaks_rfc9421, :contact, :software, :since)
on conflict do nothing;

-- name: set_policy
update siblings set policy = :policy where origin = :origin and policy = :before;

-- name: set_kinds
update siblings set kinds_in = :kinds_in, kinds_out = :kinds_out where origin = :origin;

-- name: renew
-- What it says of itself, where no trust hangs on it. Of two processes that have read the same the second finds it done.
update siblings set speaks_rfc9421 = :speaks_rfc9421, software = :software
where origin = :origin and speaks_rfc9421 = :seen_rfc9421 and software = :seen_software
returning origin, actor, name, country, inbox, outbox, policy, source, vouched_by, instance_keys, issuer_keys,
    may_issue_for, kinds_in, kinds_out, speaks_rfc9421, contact, software, since, note;

-- name: set_pins
-- Of two administrators who pin at once, the second finds other pins than were shown and changes nothing.
update siblings set instance_keys = :instance_keys, issuer_keys = :issuer_keys, speaks_rfc9421 = :speaks_rfc9421,
    software = :software, contact = :contact
where origin = :origin and instance_keys = :seen_keys and issuer_keys = :seen_issuers;

-- name: shown
-- The keys its actor shows, as long as they are not those pinned.
select value from settings where name = 'keys shown by ' || :origin;

-- name: note_shown
insert into settings (name, value) values ('keys shown by ' || :origin, :shown)
on conflict (name) do update set value = excluded.value;

-- name: forget_shown
delete from settings where name = 'keys shown by ' || :origin;

-- name: remove
delete from siblings where origin = :origin;

-- name: raise_version
update versions set value = value + 1 where name = 'allowlist';

-- name: record
insert into sibling_changes (id, origin, act, by_whom, reason, before, after, touched, at)
values (:id, :origin, :act, :by_whom, :reason, :before, :after, :touched, :at);

-- name: changes
select id, origin, act, by_whom, reason, before, after, touched, at from sibling_changes
where origin = :origin order by id;

-- name: all_changes
select id, origin, act, by_whom, reason, before, after, touched, at from sibling_changes order by id;

-- name: touched
select
    (select count(*) from doctors where origin = :origin and gone_at is null) as doctors,
    (select count(*) from follows f
        where f.state in ('pending', 'accepted')
          and (f.follower in (select uri from doctors where origin = :origin)
            or f.followee in (select uri from doctors where origin = :origin))) as follows,
    (select count(*) from doctors d join posts p on p.author = d.uri where d.origin = :origin) as posts,
    (select count(*) from doctors d join comments c on c.author = d.uri where d.origin = :origin) as comments,
    (select count(*) from copies c where c.origin = :origin
        and (c.object in (select uri from posts where local = 1)
          or c.object in (select uri from comments where local = 1))) as copies,
    (select count(*) from deliveries where origin = :origin and state in ('waiting', 'resting', 'held')) as waiting;

-- name: hold_deliveries
update deliveries set state = 'held' where origin = :origin and state in ('waiting', 'resting');

-- name: drop_deliveries
-- What is said at last to whoever has left is not dropped with the rest (farewells.sql).
update deliveries set state = 'dropped', last_code = :code, settled_at = :now
where origin = :origin and state in ('waiting', 'resting', 'held')
  and activity not in (select activity from sibling_last_words where origin = :origin and activity <> '');

-- name: release_deliveries
-- What a suspended doctor may not send stays held, and what waits for the set of another: that is let go by itself.
update deliveries set state = 'waiting', due_at = :now
where origin = :origin and state = 'held' and last_code <> 'sibling_set_unknown'
  and (actor = :instance or actor in (select uri from doctors where local = 1 and standing = 'ok'));

-- name: reset_lane
insert into lanes (origin) values (:origin)
on conflict (origin) do update set failures = 0, next_at = 0, width = 32, failing_since = null, alarm = '';

-- name: forget_keys
delete from keys where origin = :origin and private is null;

-- name: alarms
-- Siblings that this instance has suspended since they show other keys, and since when.
select name, value from settings where name like 'key alarm of %' order by name;

-- name: alarm
select value from settings where name = 'key alarm of ' || :origin;

-- name: raise_alarm
insert into settings (name, value) values ('key alarm of ' || :origin, :at) on conflict do nothing;

-- name: end_alarm
delete from settings where name = 'key alarm of ' || :origin;

-- name: suspend
-- Only while it is spoken with, and while the pins are those the keys were held against.
update siblings set policy = 'pause'
where origin = :origin and policy in ('inherit', 'read-only') and instance_keys = :seen;
