-- Circles that change while messages are lost or late.

-- Who followed one of our doctors and left, and under which number of their home's log that was said: what bears a lower
-- one was said before.
create table ended_follows (
    follower text not null,
    followee text not null,
    origin text not null,
    epoch text not null,
    number bigint not null,
    at bigint not null,
    primary key (follower, followee)
);
create index ended_follows_by_time on ended_follows (at);

-- The place of a message in its sender's log, kept for as long as the message waits.
alter table inbound add column log_epoch text not null default '';
alter table inbound add column log_number bigint not null default 0;

-- 1 where the log did not say it, because nobody at the sibling belonged to its circle: it may be missing there.
alter table copies add column withheld bigint not null default 0;
create index copies_withheld on copies (origin) where withheld = 1;

-- Up to which number of our log a sibling was asked, before an earlier process of ours stopped, what it had received:
-- no row once it was asked.
create table unasked (
    origin text not null primary key,
    number bigint not null
);
