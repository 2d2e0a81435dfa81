-- How two instances are admitted by their administrators: who has asked, who has confirmed, what is still to be said.

create table pairings (
    id text not null primary key,
    -- the other instance
    origin text not null,
    -- by what both sides call it
    name text not null,
    -- who began it here: out (we asked) or in (they asked)
    direction text not null check (direction in ('out', 'in')),
    -- federation.pairing.State
    state text not null check (state in ('invited', 'requested', 'confirmed_here', 'confirmed_there', 'active',
        'declined', 'withdrawn', 'expired')),
    -- instance.services.candidates.Found: what its actor shows, or only says of itself while read_at is null.
    found text not null,
    fingerprint text not null,
    read_at bigint,
    -- for which countries it may vouch once it is admitted
    countries text not null,
    -- the first of two administrators here, and until when that counts
    proposed_by text,
    proposed_at bigint,
    confirmed_by text,
    confirmed_at bigint,
    there_at bigint,
    -- fingerprints typed that were others
    wrong bigint not null default 0,
    -- federation.pairing.Verb that the other side has not taken yet; empty: nothing
    owed text not null default '',
    tries bigint not null default 0,
    next_at bigint not null default 0,
    -- what it answered last, where that was no yes
    last_code text not null default '',
    -- why it ended
    reason text not null default '',
    at bigint not null,
    changed_at bigint not null,
    expires_at bigint not null
);
create unique index pairings_by_name on pairings (origin, name);
create unique index pairings_open on pairings (origin)
where state in ('invited', 'requested', 'confirmed_here', 'confirmed_there');
create index pairings_owed on pairings (next_at) where owed <> '';
create index pairings_by_state on pairings (state, at);
