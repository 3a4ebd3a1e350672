"""
The tests.

Most hosts in them end in ``.test``, and exist in memory alone: the proxy of whoever runs
the tests, which ``npm`` may need, is not for these.
"""

import os

for _name in ("NO_PROXY", "no_proxy"):  # the small letters count, if there are any
    if _name in os.environ or _name == "NO_PROXY":
        os.environ[_name] = ",".join(filter(None, [os.environ.get(_name, ""), "test"]))
