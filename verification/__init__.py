"""The medical room: who is a doctor, the proof of it, and what that proof opens.

Read in this order:

    dossier       one application: what is known of it, and the words: role, assurance, country
    moves         the table of its life, and that of its annexes
    ways          what must hold for each move: whose turn, who agreed, whether its time has come
    people, grounds    who moves it, who must not judge whom; coded reasons
    review        the use cases: submit, take, ask, vote, decide, appeal, suspend, lift, revoke
    voting        what holds for every vote, on an application and on an annex
    annexes, campaign, timing    renewals and certificates; many looked at again; what the calendar does
    acts          what follows from a decision, as values for one transaction
    terms, retention    until when somebody is verified; what is destroyed, and when
    audit         the chained log, and the heads that siblings keep of it
    registers     the numbers that registers give, and their files as streams of entries
    countries     profiles, as data: regulator, register, accepted proofs, validity by role
    evidence      a diploma, a registration, a card, and the class of each
    assessment    which roles all of it makes possible, how sure that is, and until when
    documents     what makes an uploaded file acceptable
    issuers       who may vouch for doctors, as this room needs it
    credential    issue one, check one: the only maker of a remote doctor's standing
    credential_form, status_entries    the JSON of a credential, read into values
    verdicts      what a check answers, with its reason codes and their effects
    statuslist    revocation and suspension as signed bit strings
    standing      may this doctor do this today? the one question every door asks
    names         comparing names, and keeping marks and hidden characters out of them
    specialties   the vocabulary of medical specialties
    signing       the issuer key at work
    ports         what this room asks of the instance
    errors        what it refuses at home

This room knows no HTTP, no SQL, no ActivityPub and no clock: `now` is always an argument. Of the protocol room
it uses `integrity` (canonical JSON and object proofs) and `uri`, nothing else.
"""
