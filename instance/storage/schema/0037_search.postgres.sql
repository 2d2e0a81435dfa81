-- The words of posts and comments as they are searched (`instance.searching`), and PostgreSQL's index over them. The
-- words are taken as they stand, without a dictionary of the server's. The number of a row rises with the time of what
-- it stands for.
create table search_texts (
    id bigint not null primary key,
    object text not null unique,
    words text not null,
    tokens tsvector not null generated always as (array_to_tsvector(string_to_array(words, ' '))) stored
);
create index search_texts_by_token on search_texts using gin (tokens);

-- Whoever changes or takes away a post or comment, by whatever statement, takes its words out of the index with it.
-- Answers are found in a discussion that is here: they come into the index with it, and go with it, whosever they are.
create function search_post() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        delete from search_texts where object = old.uri;
    end if;
    if tg_op = 'DELETE' then
        delete from search_texts where object in (select c.uri from comments c where c.post = old.uri);
        delete from search_due where at = old.sort_at and object = old.uri;
    else
        insert into search_due (at, object, kind) values (new.sort_at, new.uri, 'post') on conflict do nothing;
    end if;
    if tg_op = 'INSERT' then
        insert into search_due (at, object, kind)
        select c.published_at, c.uri, 'comment' from comments c where c.post = new.uri on conflict do nothing;
    end if;
    return null;
end
$$;
create function search_comment() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        delete from search_texts where object = old.uri;
    end if;
    if tg_op = 'DELETE' then
        delete from search_due where at = old.published_at and object = old.uri;
    else
        insert into search_due (at, object, kind) values (new.published_at, new.uri, 'comment') on conflict do nothing;
    end if;
    return null;
end
$$;
create trigger search_post_kept after insert or delete or update of title, content, language, kind, specialties, facts
    on posts for each row execute function search_post();
create trigger search_comment_kept after insert or delete or update of content, language
    on comments for each row execute function search_comment();
