"""The one place where everything is put together, and the only owner of the clock.

A `Node` is one country's server in this process: its configuration, rows, keys, allowlist, doors and services. Several
may live side by side (the demo and the tests do that).
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from federation.keys import make_rsa
from federation.ports import Clock
from federation.uri import Uri
from instance import log
from instance.config import Config
from instance.ids import begin_after
from instance.metrics import Metrics
from instance.own_keys import MakeRsa, OwnKeys
from instance.services.asking import Waiting
from instance.services.passwords import HashPassword, hash_password
from instance.services.visits import Visits
from instance.storage import open_store
from instance.storage.store import Store
from instance.times import system_clock
from instance.uploads import Uploads
from instance.vault import KEK, BadSecret, CannotOpen, Vault, find_secret, open_issuer_key, open_vault

if TYPE_CHECKING:
    from federation.admission import SiblingAdmission
    from federation.inbox import Inbox
    from federation.wire import Wire
    from instance.evidence import EvidenceVault
    from instance.hot.live import Live
    from instance.outbox import Outbox
    from instance.queue import Queue
    from instance.services.addresses import Addresses
    from instance.services.allowlist_cache import AllowlistCache
    from instance.services.apply import Apply
    from instance.services.audit import RefusalAudit
    from instance.services.catching_up import CatchingUp
    from instance.services.contact import Contact
    from instance.services.directory import Directory
    from instance.services.dossiers import Dossiers
    from instance.services.exports import Exports
    from instance.services.federation_list import FederationLists
    from instance.services.follows import Follows
    from instance.services.inbound import InboundQueue
    from instance.services.joining import Joining
    from instance.services.lists import Lists
    from instance.services.mails import Mails
    from instance.services.newsroom import Newsroom
    from instance.services.own_status import OwnStatus
    from instance.services.pairing import Pairings
    from instance.services.people import People
    from instance.services.policies import Policies
    from instance.services.publishing import Publishing
    from instance.services.push import Push
    from instance.services.recovery import Recovery
    from instance.services.relocation import Relocations
    from instance.services.search_index import SearchIndex
    from instance.services.second_factor import SecondFactors
    from instance.services.serving import Serving
    from instance.services.sibling_clocks import SiblingClocks
    from instance.services.sibling_directories import SiblingDirectories
    from instance.services.sibling_logs import SiblingLogs
    from instance.services.sibling_sets import SiblingSets
    from instance.services.siblings import SiblingAdmin
    from instance.services.staff import Staff
    from instance.services.synchronising import Synchronising
    from instance.services.telling import Telling
    from instance.services.threads import Threads
    from instance.workers import OwnStanding, Workers

MakeWire = Callable[["Node"], "Wire"]


@dataclass(slots=True)
class Wake:
    """Tells a worker in this process that there is something to do; the rows tell it what."""

    inbound: asyncio.Event = field(default_factory=asyncio.Event)
    mails: asyncio.Event = field(default_factory=asyncio.Event)
    deliveries: asyncio.Event = field(default_factory=asyncio.Event)
    pairings: asyncio.Event = field(default_factory=asyncio.Event)
    sets: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Node:
    """One instance, composed. Made by `open_node`, ended by `close`."""

    allowlist: AllowlistCache
    clocks: SiblingClocks
    evidence: EvidenceVault
    wire: Wire
    directory: Directory
    outbox: Outbox
    queue: Queue
    inbound: InboundQueue
    apply: Apply
    inbox: Inbox
    admission: SiblingAdmission
    audit: RefusalAudit
    own_status: OwnStatus
    people: People
    policies: Policies
    dossiers: Dossiers
    exports: Exports
    federation_list: FederationLists
    joining: Joining
    addresses: Addresses
    recovery: Recovery
    mails: Mails
    factors: SecondFactors
    staff: Staff
    publishing: Publishing
    newsroom: Newsroom
    follows: Follows
    contact: Contact
    lists: Lists
    relocations: Relocations
    search: SearchIndex
    siblings: SiblingAdmin
    pairings: Pairings
    serving: Serving
    sets: SiblingSets
    logs: SiblingLogs
    catching_up: CatchingUp
    threads: Threads
    synchronising: Synchronising
    directories: SiblingDirectories
    own_standing: OwnStanding
    push: Push
    telling: Telling
    live: Live
    workers: Workers

    def __init__(
        self,
        config: Config,
        store: Store,
        vault: Vault,
        keys: OwnKeys,
        clock: Clock,
        hash_password: HashPassword = hash_password,
    ) -> None:
        self.config, self.store, self.vault, self.keys, self.clock = config, store, vault, keys, clock
        self.hash_password = hash_password
        self.origin = config.origin
        self.authority = config.authority
        self.actor = Uri.parse(config.origin + "/actor")
        self.shared_inbox = Uri.parse(config.origin + "/inbox")
        self.wake, self.uploads = Wake(), Uploads()
        self.metrics = Metrics()
        self.visits, self.waiting = Visits(self), Waiting(self)
        self.log = log.get(origin=config.origin)

    async def close(self) -> None:
        """Stop what runs, then let go of connections and rows, in that order."""
        await self.workers.stop()
        await self.visits.stop()
        await self.sets.stop()
        await self.allowlist.stop()
        await self.audit.flush()
        await self.wire.close()
        await self.store.close()


class NotPrepared(Exception):
    """The database belongs to another origin, or `esanum init` has not been run."""


async def open_node(
    config: Config,
    *,
    clock: Clock = system_clock,
    make_wire: MakeWire | None = None,
    make_rsa: MakeRsa = make_rsa,
    hash_password: HashPassword = hash_password,
) -> Node:
    """Open one instance. Raises BadSecret, NotPrepared, and what opening the store raises.

    `make_wire` replaces outbound HTTP, `make_rsa` the making of keys and `hash_password` the hashing of a new doctor's
    password (tests route between instances in memory, and give out pairs and hashes that are ready).
    """
    vault, issuer = open_vault(config), open_issuer_key(config)
    store = await open_store(config.database)
    try:
        await store.migrate()
        await _belongs_to(store, config)
        await _goes_on(store)
        keys = OwnKeys(store, vault, config, clock, issuer, make_rsa)
        await _opens(keys, config)
        node = Node(config, store, vault, keys, clock, hash_password)
        await _compose(node, make_wire)
    except BaseException:
        await store.close()
        raise
    return node


async def prepare(config: Config, *, clock: Clock = system_clock, make_rsa: MakeRsa = make_rsa) -> None:
    """Bind a new database to its origin and make the instance actor's keys; raise NotPrepared where that was done."""
    vault, issuer = open_vault(config), open_issuer_key(config)
    store = await open_store(config.database)
    try:
        await store.migrate()
        keys = OwnKeys(store, vault, config, clock, issuer, make_rsa)
        pairs = await keys.make(keys.instance_actor)

        async def bind(tx: Any) -> None:
            if await tx.one("settings.get", name="origin") is not None:
                raise NotPrepared("this database is already in use")
            await tx.run("settings.set", name="origin", value=config.origin)
            await keys.add(tx, pairs, not_before=clock())

        await store.write(bind)
    finally:
        await store.close()


async def _belongs_to(store: Store, config: Config) -> None:
    row = await store.one("settings.get", name="origin")
    if row is None:
        raise NotPrepared("the database is empty; run `esanum init` first")
    if row["value"] != config.origin:
        raise NotPrepared(f"the database belongs to {row['value']}; origin = {config.origin!r} cannot use it")


async def _goes_on(store: Store) -> None:
    """Have ids rise on from the last message that was queued: in their order messages are sent."""
    row = await store.one("deliveries.last")
    if row is not None and row["id"] is not None:
        begin_after(row["id"])


async def _opens(keys: OwnKeys, config: Config) -> None:
    """Raise BadSecret where another key-encryption key than this one sealed the rows."""
    try:
        await keys.published(keys.instance_actor)
    except CannotOpen:
        raise BadSecret(
            f"{find_secret(config, KEK)}: does not open the keys in the database; restore the one they were sealed with"
        ) from None


async def _compose(node: Node, make_wire: MakeWire | None) -> None:
    from federation.admission import ReplayMemory, SiblingAdmission
    from federation.inbox import Inbox
    from instance.evidence import EvidenceVault
    from instance.outbox import Outbox
    from instance.queue import Queue
    from instance.services.allowlist_cache import AllowlistCache
    from instance.services.apply import Apply
    from instance.services.audit import RefusalAudit
    from instance.services.catching_up import CatchingUp
    from instance.services.directory import Directory
    from instance.services.dossiers import chain
    from instance.services.federation_list import FederationLists
    from instance.services.inbound import InboundQueue
    from instance.services.own_status import OwnStatus
    from instance.services.serving import Serving
    from instance.services.sibling_clocks import SiblingClocks
    from instance.services.sibling_directories import SiblingDirectories
    from instance.services.sibling_logs import SiblingLogs
    from instance.services.sibling_sets import SiblingSets
    from instance.services.synchronising import Synchronising
    from instance.services.threads import Threads
    from instance.workers import OwnStanding, Workers

    node.allowlist = AllowlistCache(node)
    await node.allowlist.start()
    node.clocks = SiblingClocks(node)
    node.evidence = EvidenceVault(node.config, node.store, node.clock, node.log, node.metrics)
    # Before anybody is served: what was erased stays erased, also where a back-up was put back.
    node.evidence.on_erased = chain.evidence_erased(node.clock)
    await node.evidence.open()
    node.wire = make_wire(node) if make_wire is not None else _wire(node)
    node.directory, node.own_status = Directory(node), OwnStatus(node)
    await node.directory.lists.load()
    node.outbox, node.queue = Outbox(node), Queue(node)
    node.federation_list = FederationLists(node)
    node.sets = SiblingSets(node)
    await node.sets.start()
    node.logs = SiblingLogs(node)
    await node.logs.open()
    await _compose_people(node)
    node.serving = Serving(node, importlib.metadata.version("esanum-federation"))
    node.apply = Apply(node)
    node.inbound = InboundQueue(node)
    node.audit = RefusalAudit(node)
    node.admission = SiblingAdmission(node.clock)
    node.inbox = Inbox(
        origin=node.origin, clock=node.clock, siblings=node.allowlist.refresh_if_changed, keys=node.directory,
        recognise=node.directory, admission=node.admission, replays=ReplayMemory(node.clock),
        inbound=node.inbound, audit=node.audit, window=node.config.signature_window, max_body=node.config.max_message,
    )  # fmt: skip
    node.own_standing, node.catching_up = OwnStanding(node), CatchingUp(node)
    await node.catching_up.open()
    node.threads, node.synchronising = Threads(node), Synchronising(node)
    node.directories = SiblingDirectories(node)
    node.workers = Workers(node)


async def _compose_people(node: Node) -> None:
    """What people do here: who they are, and what they may."""
    from instance.hot.live import Live
    from instance.services.addresses import Addresses
    from instance.services.contact import Contact
    from instance.services.dossiers import Dossiers
    from instance.services.exports import Exports
    from instance.services.follows import Follows
    from instance.services.joining import Joining
    from instance.services.lists import Lists
    from instance.services.mails import Mails
    from instance.services.newsroom import Newsroom
    from instance.services.pairing import Pairings
    from instance.services.people import People
    from instance.services.policies import Policies
    from instance.services.publishing import Publishing
    from instance.services.push import Push
    from instance.services.recovery import Recovery
    from instance.services.relocation import Relocations
    from instance.services.search_index import SearchIndex
    from instance.services.second_factor import SecondFactors
    from instance.services.siblings import SiblingAdmin
    from instance.services.staff import Staff
    from instance.services.telling import Telling

    node.policies = Policies(node)
    await node.policies.look()
    node.people, node.publishing = People(node), Publishing(node)
    node.newsroom = Newsroom(node)
    node.factors, node.staff = SecondFactors(node), Staff(node)
    node.dossiers, node.exports = Dossiers(node), Exports(node)
    node.dossiers.restoring.begin()
    node.joining, node.mails = Joining(node), Mails(node)
    node.addresses, node.recovery = Addresses(node), Recovery(node)
    node.follows, node.siblings = Follows(node), SiblingAdmin(node)
    node.contact, node.lists = Contact(node), Lists(node)
    node.relocations, node.pairings = Relocations(node), Pairings(node)
    node.search = SearchIndex(node)
    node.push, node.telling, node.live = Push(node), Telling(node), Live(node)


def _wire(node: Node) -> Wire:
    from federation.wire import Wire

    extra = Path(node.config.ca_file) if node.config.ca_file else None
    anchor = node.config.federation_list
    return Wire(
        node.allowlist, node.origin, clock=node.clock, extra_ca=extra, hears=node.clocks,
        list_host=anchor.url.origin if anchor is not None else "", push_hosts=node.config.push_hosts,
    )  # fmt: skip
