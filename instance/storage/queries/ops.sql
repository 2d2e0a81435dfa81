-- name: deliveries
select state, count(*) as number from deliveries group by state;

-- name: inbound_waiting
select (select count(*) from inbound where state = 'waiting')
    + (select count(*) from inbound where state = 'held') as number;
