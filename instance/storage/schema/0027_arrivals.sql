-- The copy ledger knows which version of a post a sibling has, and when it confirmed that it has let go of it.
-- The activity (Create or Update) that the sibling has answered last; empty where that is not known any more.
alter table copies add column version text not null default '';
alter table copies add column released_at bigint;
update copies set version = coalesce((
    select max(d.activity) from deliveries d join activities a on a.uri = d.activity
    where d.object = copies.object and d.origin = copies.origin and d.state = 'done' and a.type in ('Create', 'Update')
), '');
update copies set released_at = (
    select max(d.settled_at) from deliveries d join activities a on a.uri = d.activity
    where d.object = copies.object and d.origin = copies.origin and d.state = 'done' and a.type = 'Delete'
        and d.activity > copies.version);

-- When a message was last taken there; last_out_at is when anything was last answered.
alter table sibling_contacts add column last_done_at bigint;
update sibling_contacts set last_done_at = (
    select max(d.settled_at) from deliveries d where d.origin = sibling_contacts.origin and d.state = 'done');

-- Dead letters of a sibling in their order, however many; rows in other states cost nothing here.
create index deliveries_dead on deliveries (origin, id) where state = 'dead';
