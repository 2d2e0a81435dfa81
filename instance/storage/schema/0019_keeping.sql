-- Drafts go a month after their last change, rows and all; tries of a sign-up are counted over all its codes.

insert into retention (dossier, thing, at)
    select d.id, 'facts', coalesce(
        (select max(f.destroy_at) from evidence_files f where f.dossier = d.id and f.destroyed_at is null),
        d.changed_at + 2592000000)
    from dossiers d where d.state = 'draft';

-- Mails that were sent are found by their day.
create index mails_by_sending on mails (sent_at) where sent_at is not null;

alter table sign_ups add column tried bigint not null default 0;
