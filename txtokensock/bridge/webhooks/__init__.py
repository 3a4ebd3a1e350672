"""
HTTP out: channel messages and the server's calls, to webhooks.

A channel message goes from :mod:`.channel_reader` into the spool and from there, and only from
there, to :mod:`.deliveries`, one at a time for each rule; a call of the server goes
straight through :mod:`.calls`, for somebody waits for its answer.

:mod:`.store` is the SQL of the spool, :mod:`.database` its file, :mod:`.spool` what gets
both out of the reactor's way; :mod:`.requests` sends, :mod:`.side` ties it together.
"""
