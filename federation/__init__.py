"""The protocol room: signed bytes in, typed activities out; typed activities in, signed bytes out.

Read in this order:

    uri, vocabulary, errors     the words: addresses, what is said, and how it is refused
    allowlist, audience         who may speak, and who may see
    inbox                       the door in: one order of checks, told once
    signatures, keys            what the door checks first: whose bytes these are
    strict, jsonld, reader,     what it checks next: one reading of the bytes, what they mean, and their text
    parse, bulletins, html      made safe
    integrity, multibase        object proofs: what still speaks for its author when somebody else forwards it
    render, delivery, wire      the door out: documents, the schedule of deliveries, the only client
    pairing                     how two instances that do not list each other yet come to do so
    discovery                   how instances and doctors are found
    ports                       what this room needs of its surroundings

This room knows HTTP as a protocol, but no web framework, no database and no medicine: a doctor's credential is an
opaque value here. It reads no clock and opens no file but its own contexts; time, keys and rows arrive as arguments.
"""
