-- An answer that came before its post, neither from the home of the thread nor through it: whether its author belongs
-- to the circle is asked when the post is here.
alter table comments add column outside bigint not null default 0;
