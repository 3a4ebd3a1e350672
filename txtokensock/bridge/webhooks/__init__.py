"""
HTTP out: channel messages and the server's calls, to webhooks.

A channel message goes from :mod:`.channel_reader` into the spool and from there, and only from
there, to :mod:`.deliveries`, one at a time for each rule; a call of the server goes
straight through :mod:`.webhook_calls`, for its caller waits for the answer.

:mod:`.spool_tables` is the SQL of the spool, :mod:`.database` its file, :mod:`.spool` what
gets both out of the reactor's way; :mod:`.webhook_requests` sends, :mod:`.webhooks_side` ties
it together.
"""
