-- Pages that are open look for questions that have just been asked.
create index askings_by_time on askings (at);

-- A question to a country is told to those of its doctors who wish to be told of requests.
create index notice_ways_by_group on notice_ways (grp, doctor);

-- When a device was last shown a message: where one of several could not be reached, the others are not told twice.
alter table push_devices add column shown_at bigint not null default 0;

-- With a post that is withdrawn go the notices that lead to it.
create index notifications_by_post on notifications (post) where post <> '';
