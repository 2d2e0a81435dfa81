-- How a doctor wishes to be told of notices besides the page, and what is due. Nothing here leaves home, and nothing here
-- holds a word of a post, a title or a name.

-- One row for each way that is wished of a group of kinds: on a device, by mail at once, by mail once a day.
create table notice_ways (
    doctor text not null,
    grp text not null,
    way text not null check (way in ('push', 'now', 'daily')),
    primary key (doctor, grp, way)
);

create table notice_wishes (
    doctor text not null primary key,
    -- The zone whose clock counts; empty: the country's.
    zone text not null default '',
    -- The hours between which nothing is sent; null: there are none.
    quiet_from bigint,
    quiet_until bigint,
    -- Monday is 0; null: no digest.
    digest_day bigint,
    digest_hour bigint not null default 7,
    -- When the next one is due, and since when its numbers count.
    digest_at bigint,
    digest_since bigint not null default 0,
    mailed_at bigint not null default 0,
    pushed_at bigint not null default 0,
    -- Switches mails off for whoever shows it, and does nothing else.
    off_token text not null unique
);
create index notice_wishes_by_digest on notice_wishes (digest_at) where digest_at is not null;

-- Written with the notice: whom to tell, in which way, not before when, and of what since when.
create table notice_due (
    doctor text not null,
    way text not null,
    at bigint not null,
    since bigint not null,
    -- How many notices have asked for it: whoever tells sees whether one more came meanwhile.
    asked bigint not null default 1,
    primary key (doctor, way)
);
create index notice_due_by_time on notice_due (at);

-- Rises with everything that changes the number of a doctor's unread notices; open pages look at it.
create table notice_marks (
    doctor text not null primary key,
    version bigint not null,
    at bigint not null
);
create index notice_marks_by_time on notice_marks (at);

-- Where a browser that was asked takes messages; gone with its session.
create table push_devices (
    id text not null primary key,
    session bytea not null unique references sessions (token) on delete cascade on update cascade,
    doctor text not null,
    endpoint text not null unique,
    public_key text not null,
    secret text not null,
    created_at bigint not null
);
create index push_devices_by_doctor on push_devices (doctor);

-- The pair with which push services are shown who sends (RFC 8292), sealed like every key here.
create table push_keys (
    id text not null primary key,
    private bytea not null,
    created_at bigint not null
);

-- What a mail about notices counts: a JSON object of groups and numbers.
alter table mails add column counts text not null default '';

create index notifications_unread on notifications (doctor, id desc) where read_at is null;
