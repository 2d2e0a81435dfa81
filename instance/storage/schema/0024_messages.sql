-- Why a message was refused, or what became of it: what the page of messages shows, never a body.

-- The head as it is kept: the first line says how long it took (milliseconds), method and path, then one header a line.
alter table inbound add column kind text not null default '';
alter table inbound add column head text not null default '';

-- The check of the door that refused it (security 1), and the row of the message or delivery it is about, if it has one.
alter table refusals add column step bigint not null default 0;
alter table refusals add column profile text not null default '';
alter table refusals add column type text not null default '';
alter table refusals add column kind text not null default '';
alter table refusals add column message text not null default '';
alter table refusals add column head text not null default '';
create index refusals_by_message on refusals (message) where message <> '';

-- What was answered with 202 and left nothing to keep: repeated, or of a type that is ignored.
create table unkept (
    id text not null primary key,
    at bigint not null,
    verdict text not null check (verdict in ('repeated', 'ignored')),
    origin text not null default '',
    key_id text not null default '',
    profile text not null default '',
    activity text not null default '',
    type text not null default '',
    kind text not null default '',
    head text not null default '',
    more bigint not null default 0
);
create index unkept_by_origin on unkept (origin, id desc);
create index unkept_by_activity on unkept (activity);

-- The kind of the post that is sent; the last try: what was sent and what came back, beside the bodies.
alter table deliveries add column kind text not null default '';
alter table deliveries add column tried_at bigint;
alter table deliveries add column key_id text not null default '';
alter table deliveries add column profile text not null default '';
alter table deliveries add column head text not null default '';
