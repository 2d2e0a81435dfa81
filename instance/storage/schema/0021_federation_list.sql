-- Every federation list that was adopted, as it was read: the newest is in force, and siblings that missed one read it.
create table federation_lists (
    sequence bigint not null primary key,
    hash text not null,
    body bytea not null,
    -- The signers that judged it, and those that judge the next: JSON with threshold and key.
    judged_by text not null,
    signers text not null,
    -- The pinned set it goes back to.
    anchor text not null,
    -- Where it was read, or who handed it in.
    source text not null,
    adopted_at bigint not null
);

-- How the reading of lists stands: one row.
create table federation_list_state (
    id bigint not null primary key check (id = 1),
    tried_at bigint,
    succeeded_at bigint,
    etag text not null default '',
    -- Why the last list was not adopted or not read; empty where it was, or was ours already.
    code text not null default '',
    code_source text not null default '',
    -- The sibling that says it has a newer one; empty where none does.
    announced_by text not null default '',
    -- Of the list with this sequence the alarm of so many days before its end was told.
    warned_sequence bigint not null default 0,
    warned_days bigint not null default 0
);
insert into federation_list_state (id) values (1);
