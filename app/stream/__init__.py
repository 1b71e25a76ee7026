"""Live changes: from the transaction that made them, over PostgreSQL's NOTIFY, to every open stream of the organisation.

`publish` is called inside a writing transaction; `feed` hears of its commit in every process; `hub` spreads it to this
process's streams; `answer` is the HTTP side (server-sent events).
"""
