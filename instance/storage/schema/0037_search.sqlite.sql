-- The words of posts and comments as they are searched (`instance.searching`), and SQLite's index over them. The number
-- of a row rises with the time of what it stands for: an index walked backwards gives the newest first.
create table search_texts (
    id integer primary key,
    object text not null unique,
    words text not null
);
create virtual table search_index using fts5 (
    words, content = 'search_texts', content_rowid = 'id', detail = none, columnsize = 0,
    tokenize = "unicode61 remove_diacritics 2 tokenchars '_'"
);

create trigger search_texts_added after insert on search_texts begin
    insert into search_index (rowid, words) values (new.id, new.words);
end;
create trigger search_texts_removed after delete on search_texts begin
    insert into search_index (search_index, rowid, words) values ('delete', old.id, old.words);
end;

-- Whoever changes or takes away a post or comment, by whatever statement, takes its words out of the index with it.
-- Answers are found in a discussion that is here: they come into the index with it, and go with it, whosever they are.
create trigger search_post_added after insert on posts begin
    insert or ignore into search_due (at, object, kind) values (new.sort_at, new.uri, 'post');
    insert or ignore into search_due (at, object, kind)
    select c.published_at, c.uri, 'comment' from comments c where c.post = new.uri;
end;
create trigger search_post_changed after update of title, content, language, kind, specialties, facts on posts begin
    delete from search_texts where object = old.uri;
    insert or ignore into search_due (at, object, kind) values (new.sort_at, new.uri, 'post');
end;
create trigger search_post_removed after delete on posts begin
    delete from search_texts where object in (select c.uri from comments c where c.post = old.uri);
    delete from search_texts where object = old.uri;
    delete from search_due where at = old.sort_at and object = old.uri;
end;
create trigger search_comment_added after insert on comments begin
    insert or ignore into search_due (at, object, kind) values (new.published_at, new.uri, 'comment');
end;
create trigger search_comment_changed after update of content, language on comments begin
    delete from search_texts where object = old.uri;
    insert or ignore into search_due (at, object, kind) values (new.published_at, new.uri, 'comment');
end;
create trigger search_comment_removed after delete on comments begin
    delete from search_texts where object = old.uri;
    delete from search_due where at = old.published_at and object = old.uri;
end;
