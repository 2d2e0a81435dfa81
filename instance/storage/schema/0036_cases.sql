-- What becomes of a case: the poll in it, its end, and what its author goes on telling. All of it goes with its post.
create table polls (
    post text not null primary key references posts (uri) on delete cascade,
    -- The address votes are for.
    uri text not null unique,
    -- JSON array of what may be answered; never changed, since votes are for a place in it.
    options text not null,
    closes_at bigint,
    closed_at bigint,
    made_at bigint not null,
    -- The version of what is counted; a sibling's poll keeps what its home counted.
    updated_at bigint not null,
    totals text not null default '[]',
    by_specialty text not null default '{}',
    -- Own polls: since when somebody has voted of which siblings were not told, and when they were told last.
    voted_at bigint,
    told_at bigint
);
create index polls_to_close on polls (closes_at) where closed_at is null and closes_at is not null;
create index polls_to_tell on polls (voted_at) where voted_at is not null;

-- At the poll's home every vote, elsewhere those of own doctors. Shown to nobody but the voter.
create table poll_votes (
    post text not null references posts (uri) on delete cascade,
    voter text not null,
    choice bigint not null,
    -- What the voter was verified in when they voted; counted under it.
    specialty text not null default '',
    at bigint not null,
    primary key (post, voter)
);
create index poll_votes_by_voter on poll_votes (voter, post);

create table resolutions (
    post text not null primary key references posts (uri) on delete cascade,
    diagnosis text not null,
    outcome text not null default '',
    language text not null,
    -- JSON array of the answers that helped, by address.
    thanked text not null default '[]',
    -- Empty where the case was reopened; the row stays, so that what is older does not close it again.
    resolved_at bigint,
    updated_at bigint not null
);

-- 'update' where the author of the post goes on telling; empty for every other answer.
alter table comments add column kind text not null default '';
