-- The specialty a certificate is about, where an annex shows one.
alter table annexes add column specialty text not null default '';
