-- What doctors typed of themselves (own doctors only); `summary` is the HTML made of it.
alter table doctors add column summary_source text not null default '';
