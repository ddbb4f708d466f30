"""Notes what a Python process tries: its start, addresses it looks up and connects to. Run as a ``sitecustomize``.

It goes before every other ``sitecustomize``. Lines are appended to the file ``EVALUATION_EVENTS``; where
``EVALUATION_BLOCK`` is 1, a network attempt is refused as well. Standard library only: it runs in every process.
"""

import os
import socket
import sys
from typing import Any

_NETWORK = ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.gethostbyaddr', 'socket.sendto')


def _note(kind: str, what: object) -> None:
    handle = os.open(os.environ['EVALUATION_EVENTS'], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f'{kind} {what}\n'.encode())  # one write: lines of several processes do not mix
    os.close(handle)


def _watch(event: str, args: tuple[Any, ...]) -> None:
    # Sockets within the machine, of loaders' workers and the like, are no attempts.
    if event in _NETWORK and not (isinstance(args[0], socket.socket) and args[0].family == socket.AF_UNIX):
        _note('network', f'{event} {args[1:] if isinstance(args[0], socket.socket) else args}'.replace('\n', ' '))
        if os.environ.get('EVALUATION_BLOCK') == '1':
            raise OSError('The network is off.')


if 'EVALUATION_EVENTS' in os.environ:
    _note('start', sys.orig_argv)
    sys.addaudithook(_watch)
