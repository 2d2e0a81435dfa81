"""The medical room: who is a doctor, the proof of it, and what that proof opens.

Read in this order:

    dossier       the words: role, assurance, country
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
