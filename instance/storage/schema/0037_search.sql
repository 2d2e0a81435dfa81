-- What still has to be made findable: a row is written here by the database itself, with the post or comment, and goes
-- when its words stand in search_texts. `at` is where it stands in time, so that the newest are made findable first.
create table search_due (
    at bigint not null,
    object text not null,
    kind text not null check (kind in ('post', 'comment')),
    primary key (at, object)
);
insert into search_due (at, object, kind) select sort_at, uri, 'post' from posts;
insert into search_due (at, object, kind) select published_at, uri, 'comment' from comments;
