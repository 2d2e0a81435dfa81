create table seen (id text primary key);
create function note_seen() returns trigger language plpgsql as $$
begin
    insert into seen (id) values (new.id);
    return new;
end;
$$;
create trigger note_seen after insert on notes for each row execute function note_seen();
