-- Who was enrolled by which campaign: a later campaign takes nobody out of the numbers of an earlier one.
create table campaign_members (
    campaign text not null references campaigns (id) on delete cascade,
    dossier text not null references dossiers (id) on delete cascade,
    primary key (campaign, dossier)
);
create index campaign_members_by_dossier on campaign_members (dossier);
insert into campaign_members (campaign, dossier)
select c.id, d.id from campaigns c join dossiers d on d.campaign = c.id;

-- The desk looks for what is not decided among very many that are.
create index annexes_open on annexes (dossier) where state not in ('accepted', 'refused');
create index proposals_by_time on proposals (at);
create index register_tasks_waiting on register_tasks (at) where closed_at is null;
