-- What a decision is bound to: who decided before on the same account, what was asked for last, who voted as a lead.

-- JSON array of ids of staff; written when an application begins, from the audit log of the one before it.
alter table dossiers add column decided_before text not null default '[]';
alter table dossiers add column asked text;
alter table votes add column lead bigint not null default 0;
