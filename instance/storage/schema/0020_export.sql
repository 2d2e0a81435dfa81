-- What somebody did is found by who did it: for the file of the own data.
create index likes_by_actor on likes (actor, id);
create index tombstones_by_actor on tombstones (actor, uri);
create index reports_by_reporter on reports (by_whom, id);
