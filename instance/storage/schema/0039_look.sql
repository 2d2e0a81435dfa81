-- How pages look to the owner of an account: the size of text in per cent, and the languages whose posts they read (JSON),
-- which stand first wherever one is chosen. Nobody else is told of either.
alter table accounts add column text_size bigint not null default 100;
alter table accounts add column reading text not null default '[]';
