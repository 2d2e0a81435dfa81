-- What goes to a sibling has a number that rises by one: its deliveries, in that order, are its log.
alter table lanes add column last_number bigint not null default 0;
-- Where the present epoch of the log goes on from the one before it (after a back-up was put back).
alter table lanes add column epoch_from bigint not null default 0;
alter table deliveries add column number bigint not null default 0;
create index deliveries_by_number on deliveries (origin, number);

-- What a sibling's log says, as it came: by number, so that a gap is seen; with its signed head and its body for some
-- days, so that a sibling that lost it can have it back.
create table received (
    origin text not null,
    epoch text not null,
    number bigint not null,
    -- the post, comment or doctor it is about: what is withdrawn leaves no words here.
    object text not null default '',
    head text not null default '',
    body bytea not null,
    at bigint not null,
    primary key (origin, epoch, number)
);
create index received_by_object on received (object) where object <> '';

-- How far each sibling's log is known here without a gap.
create table sibling_logs (
    origin text not null primary key,
    epoch text not null,
    mark bigint not null default 0
);

-- Answers that the home of a post lists and that are not here: still to come, or (closed) kept out by our own rules.
create table missing_answers (
    post text not null,
    uri text not null,
    closed bigint not null default 0,
    primary key (post, uri)
);
