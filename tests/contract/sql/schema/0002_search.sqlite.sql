-- A trigger has semicolons inside; what ends a statement is not the first of them.
create table seen (id text primary key);
create trigger note_seen after insert on notes begin
    insert into seen (id) values (new.id);
end;
