"""The layer in front of the pages, as plain ASGI: every request passes its guard, siblings never get further.

answers   prebuilt heads and bodies     body      reading, bounded in size and time
limits    strangers, by address         guard     the form of a request, whatever server received it
"""
